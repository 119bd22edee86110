"""Verbs that hand a detector on to other programs: as a file, and as a score for each image of a pipe."""

from pathlib import Path
from typing import Annotated

import typer

from dda.cli.application import app

Model = Annotated[str, typer.Argument(metavar="DETECTOR", help="A detector's folder, or another name of it.")]


@app.command()
def export(
    model: Model,
    output: Annotated[Path, typer.Option(help="The folder to write into.")],
    formats: Annotated[list[str], typer.Option("--format", help="onnx or pt2; may be given twice.")],
) -> None:
    """A detector as a file that runs without dda, with its preprocessing inside."""
    from dda.app import export as verb

    verb.run(model, formats, output)
