"""The verb for people who have images and a question."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dda.cli.application import app


class Views(StrEnum):
    """Ways to look at an image, as core.windows names them: that module would import numpy here."""

    CENTRE = "centre"
    FIVE = "five"
    TILES = "tiles"


class FailOn(StrEnum):
    """What --fail-on may look for."""

    GENERATED = "generated"
    UNCERTAIN = "uncertain"


DEFAULT_MODEL = "artifacts/detectors/embedded"


@app.command()
def detect(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders, patterns; - reads a list.")],
    model: Annotated[
        str, typer.Option(help="A detector's folder, models:/NAME@ALIAS, models:/NAME/3, or s3://bucket/prefix.")
    ] = DEFAULT_MODEL,
    max_fpr: Annotated[
        float | None, typer.Option(help="Use the threshold fitted for this share of real images called generated.")
    ] = None,
    views: Annotated[
        Views | None, typer.Option(help="What to look at: the centre, five windows, or all of it.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
    csv: Annotated[str | None, typer.Option(metavar="FILE", help="Write rows as CSV; - prints them.")] = None,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="Write rows as a Parquet file.")] = None,
    heatmap: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write an overlay of each image's scores; takes --views tiles.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Add what the file says of its own past.")] = False,
    fail_on: Annotated[
        FailOn | None, typer.Option(help="Exit with 3 where any is generated; or, with uncertain, not surely real.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1; else the best one here.")] = None,
    null: Annotated[bool, typer.Option("--null", "-0", help="Paths of the list end with a zero byte.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the last line, with the counts.")] = False,
) -> None:
    """Say of images whether they are real or generated, and how sure that is.

    Exit status: 0 every image was judged, 1 some could not be read, 2 wrong use or setup, 3 by --fail-on.
    """
    from dda.app import detect as verb

    chosen = views or (Views.TILES if heatmap else Views.CENTRE)
    question = verb.Question(model, verb.views_of(chosen), max_fpr, device)
    wanted = verb.Wanted(as_json, csv, parquet, heatmap, explain, quiet, fail_on.value if fail_on else None)
    if status := verb.run(paths, question, wanted, null):
        raise typer.Exit(status)
