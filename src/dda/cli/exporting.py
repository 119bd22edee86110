"""Verbs that hand a detector on to other programs: as a file, and as a score for each image of a pipe."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from dda.cli.application import app

Paths = Annotated[
    list[str] | None, typer.Argument(metavar="[PATH]...", help="Image files; else a path a line of stdin.")
]


@app.command()
def export(
    model: Annotated[str, typer.Argument(metavar="DETECTOR", help="A detector's folder, or another name of it.")],
    output: Annotated[Path, typer.Option(help="The folder to write into.")],
    formats: Annotated[list[str], typer.Option("--format", help="onnx or pt2; may be given twice.")],
) -> None:
    """A detector as a file that runs without dda, with its preprocessing inside."""
    from dda.app import export as verb

    verb.run(model, formats, output)


@app.command()
def score(
    paths: Paths = None,
    model: Annotated[
        str, typer.Option(help="A detector's folder, or another name of it.")
    ] = "artifacts/detectors/embedded",
    views: Annotated[
        Literal["centre", "five", "tiles"], typer.Option(help="What of an image is looked at.")
    ] = "centre",
    min_score: Annotated[float | None, typer.Option(help="Print only the paths whose score is at least this.")] = None,
) -> None:
    """How real image files look: a line of JSON for each, or the paths of those that pass. Higher looks more real."""
    from dda.app import score as verb

    if not paths and sys.stdin.isatty():
        raise typer.BadParameter("name image files, or send their paths on standard input")
    unreadable = 0
    try:
        for found in verb.run(model, paths or [], views):
            unreadable += found.row["score"] is None
            if min_score is None:
                print(found.line(), flush=True)
            elif found.passes(min_score):
                sys.stdout.buffer.write(os.fsencode(found.path) + b"\n")
                sys.stdout.buffer.flush()
            elif found.row["error"]:
                print(f"dda: {found.path!a}: {found.row['error']}", file=sys.stderr)
    except BrokenPipeError:  # whoever reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    if unreadable:
        raise typer.Exit(1)
