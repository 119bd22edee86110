"""Verbs for sets of images: photos, pairs, benchmarks, files of anybody."""

from pathlib import Path
from typing import Annotated

import typer

from dda.cli.application import DEFAULT, AsJson, ParamsFile, app, load


@app.command()
def get(
    source: Annotated[
        str,
        typer.Argument(help="`embedded`, a photo set such as `coco-val2017`, a folder, or `s3://bucket/prefix`."),
    ],
    link: Annotated[
        bool,
        typer.Option(
            "--link",
            help="Hard-link a folder's files: no copy, so editing an original in place then changes data/photos too.",
        ),
    ] = False,
    address: Annotated[
        str | None, typer.Option(help="A mirror of the photo set's zip, which is verified alike.")
    ] = None,
    params: ParamsFile = DEFAULT,
) -> None:
    """Take photos over into data/photos and let DVC version them."""
    checked = load(params)
    from dda.app import get as verb

    verb.run(checked.paths, source, link, address)


@app.command()
def vaes(
    as_json: AsJson = False,
) -> None:
    """VAEs that the catalog knows, and whether their weights are here."""
    from dda.app import vaes as verb

    verb.run(as_json)


benchmarks_app = typer.Typer(invoke_without_command=True)
app.add_typer(benchmarks_app, name="benchmarks")


@benchmarks_app.callback()
def benchmarks(context: typer.Context, as_json: AsJson = False, params: ParamsFile = DEFAULT) -> None:
    """Benchmarks that the catalog knows, and how much of each is here; `check NAME` reads every image of one."""
    if context.invoked_subcommand is None:
        checked = load(params)
        from dda.app import benchmarks as verb

        verb.run(checked.paths.benchmarks, as_json)


@benchmarks_app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A benchmark of the catalog, in data/benchmarks.")],
    params: ParamsFile = DEFAULT,
) -> None:
    """Read every image of a benchmark: counts, checksums, a digest of it all; exit status 1 where anything is wrong."""
    checked = load(params)
    from dda.app import check_benchmark as verb

    if not verb.run(checked.paths.benchmarks, name):
        raise typer.Exit(1)


@app.command()
def publish(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An aligned set: a VAE of reconstruct.vaes.")],
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Where to: `s3://bucket/prefix`.")],
    photos: Annotated[str | None, typer.Option(help="The photo set of the catalog that was used.")] = None,
    params: ParamsFile = DEFAULT,
) -> None:
    """Put an audited set into a store, as a version that never changes, and make it the latest one."""
    checked = load(params)
    from dda.app import publish as verb

    verb.run(checked.paths, name, address, photos)


@app.command()
def fetch(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A published set: `s3://bucket/prefix/NAME`.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to: a new folder, or one to continue.")],
    version: Annotated[str | None, typer.Option(help="A version other than the latest one.")] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Read a public bucket without credentials.")] = False,
) -> None:
    """Get a published set, every byte checked; again to continue or to repair."""
    from dda.app import fetch as verb

    verb.run(address, folder, version, anonymous)


@app.command()
def verify(folder: Annotated[Path, typer.Argument(metavar="DIR", help="An aligned set, fetched or made.")]) -> None:
    """Check every byte of an aligned set; exit status 1 where anything is wrong."""
    from dda.app import verify as verb

    verb.run(folder)


@app.command()
def audit_folder(
    real: Annotated[Path, typer.Argument(metavar="REAL_DIR", help="A folder of real images, at any depth.")],
    fake: Annotated[Path, typer.Argument(metavar="FAKE_DIR", help="A folder of generated images.")],
    output: Annotated[Path, typer.Option(help="Where audit.json and audit.html go.")] = Path("audit"),
    limit: Annotated[float, typer.Option(min=0.5, max=1.0, help="The largest AUROC that a probe may reach.")] = 0.6,
    max_images: Annotated[int, typer.Option(min=10, help="Of each folder, evenly taken.")] = 2000,
) -> None:
    """Two folders of anybody's -> what tells them apart besides generation; exit status 1 where anything does."""
    from dda.app import audit_folder as verb

    verb.run(real, fake, output, verb.Settings(limit, max_images))


@app.command("jpeg-info")
def jpeg_info(
    paths: Annotated[list[Path], typer.Argument(help="Files, and folders with everything below them.")],
    tables: Annotated[bool, typer.Option("--tables", help="Also print the quantisation tables.")] = False,
    as_json: AsJson = False,
) -> None:
    """How files were compressed: quality, tables, subsampling, and the grid that their pixels show."""
    from dda.app import jpeg_info as verb

    if verb.run(paths, tables, as_json):
        raise typer.Exit(1)
