"""The `dda` command. A verb's code is imported when the verb runs, so that help and mistakes answer at once."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dda import cli_compare

# help drawn by rich would cost a third of a second at every start
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
app.command()(cli_compare.compare)

ParamsFile = Annotated[Path, typer.Option("--params", help="The parameters to use.")]
Vae = Annotated[str, typer.Argument(help="A VAE of reconstruct.vaes.")]
DetectorName = Annotated[str, typer.Argument(metavar="DETECTOR", help="A detector of the catalog.")]
DEFAULT = Path("params.yaml")


@app.callback()
def about() -> None:
    """Dual Data Alignment: photos to aligned pairs to a judged detector of generated images."""


def load(path: Path) -> Any:
    """The checked parameters."""
    from dda import params

    return params.load(path)


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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document with every fact.")] = False,
) -> None:
    """VAEs that the catalog knows, and whether their weights are here."""
    from dda.app import vaes as verb

    verb.run(as_json)


@app.command()
def index(params: ParamsFile = DEFAULT) -> None:
    """Photos -> index: a row per file, used or rejected with its reason."""
    checked = load(params)
    from dda.stages import index as stage

    stage.run(checked)


@app.command()
def reconstruct(vae: Vae, params: ParamsFile = DEFAULT) -> None:
    """Index x one VAE -> reconstructions."""
    checked = load(params)
    from dda.stages import reconstruct as stage

    stage.run(checked, vae)


@app.command()
def align(vae: Vae, params: ParamsFile = DEFAULT) -> None:
    """Reconstructions -> aligned pairs."""
    checked = load(params)
    from dda.stages import align as stage

    stage.run(checked, vae)


@app.command()
def audit(vae: Vae, params: ParamsFile = DEFAULT) -> None:
    """Aligned pairs -> verdict; exit status 1 where a critical expectation fails."""
    checked = load(params)
    from dda.stages import audit as stage

    stage.run(checked, vae)


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


@app.command()
def train(detector: DetectorName, params: ParamsFile = DEFAULT) -> None:
    """Aligned pairs -> detector."""
    checked = load(params)
    from dda.stages import train as stage

    stage.run(checked, detector)


@app.command()
def evaluate(
    detector: DetectorName,
    benchmark: Annotated[
        str,
        typer.Argument(help="`aligned-VAE` for held-out pairs, or a folder of data/benchmarks."),
    ],
    params: ParamsFile = DEFAULT,
) -> None:
    """Detector x benchmark -> predictions."""
    checked = load(params)
    from dda.stages import evaluate as stage

    stage.run(checked, detector, benchmark)


@app.command()
def report(params: ParamsFile = DEFAULT) -> None:
    """Predictions -> numbers with intervals, plots, one page."""
    checked = load(params)
    from dda.stages import report as stage

    stage.run(checked)


@app.command()
def summary(params: ParamsFile = DEFAULT) -> None:
    """Print the results, two verdicts, and where report and MLflow store are."""
    checked = load(params)
    from dda.app import summary as verb

    verb.run(checked)


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
def detect(
    paths: Annotated[list[Path], typer.Argument(help="Image files.")],
    model: Annotated[Path, typer.Option(help="A detector's folder.")] = Path("artifacts/detectors/embedded"),
) -> None:
    """Say of image files whether they are real or generated."""
    from dda.app import detect as verb

    unreadable = 0
    for verdict in verb.run(model, paths):
        unreadable += verdict.logit is None
        kind = "probability" if verdict.temperature is None else "calibrated probability"
        number = "" if verdict.logit is None else f"  {kind} {verdict.probability:.3f}  logit {verdict.logit:+.2f}"
        print(f"{verdict.word:<10}{number}  {verdict.name}{f': {verdict.error}' if verdict.error else ''}")
    if unreadable:
        raise typer.Exit(1)


@app.command()
def import_checkpoint(
    checkpoint: Annotated[Path, typer.Argument(metavar="FILE", help="A .pth in the layout of the authors' DDA_ckpt.")],
    output: Annotated[Path, typer.Option(help="Where to: a new folder, or a detector to replace.")],
    lora_alpha: Annotated[float, typer.Option(help="The adapters are scaled by this / rank; no file says it.")] = 1.0,
) -> None:
    """The authors' checkpoint -> detector; nothing is fetched where the file holds every weight."""
    from dda.app import import_checkpoint as verb

    verb.run(checkpoint, output, lora_alpha)


@app.command("jpeg-info")
def jpeg_info(
    paths: Annotated[list[Path], typer.Argument(help="Files, and folders with everything below them.")],
    tables: Annotated[bool, typer.Option("--tables", help="Also print the quantisation tables.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document with every fact.")] = False,
) -> None:
    """How files were compressed: quality, tables, subsampling, and the grid that their pixels show."""
    from dda.app import jpeg_info as verb

    if verb.run(paths, tables, as_json):
        raise typer.Exit(1)


def main() -> None:
    """Run the command; a wrong setup or a failed audit is told in its own words, without a traceback."""
    from dda import quiet
    from dda.core.errors import AuditError, SetupError

    quiet.apply()
    try:
        app()
    except (SetupError, AuditError) as error:
        print(f"dda: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
