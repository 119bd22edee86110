"""Verbs for detectors and their verdicts."""

from pathlib import Path
from typing import Annotated

import typer

from dda.cli.application import DEFAULT, AsJson, ParamsFile, app, load


@app.command()
def import_checkpoint(
    checkpoint: Annotated[Path, typer.Argument(metavar="FILE", help="A .pth in the layout of the authors' DDA_ckpt.")],
    output: Annotated[Path, typer.Option(help="Where to: a new folder, or a detector to replace.")],
    lora_alpha: Annotated[float, typer.Option(help="The adapters are scaled by this / rank; no file says it.")] = 1.0,
) -> None:
    """The authors' checkpoint -> detector; nothing is fetched where the file holds every weight."""
    from dda.app import import_checkpoint as verb

    verb.run(checkpoint, output, lora_alpha)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="DETECTOR_A", help="A detector that `dda evaluate` has judged.")],
    second: Annotated[str, typer.Argument(metavar="DETECTOR_B", help="The one that it is compared with.")],
    as_json: AsJson = False,
    params: ParamsFile = DEFAULT,
) -> None:
    """Two detectors on the same images: who is right alone, and how large the difference is."""
    checked = load(params)
    from dda.app import compare as verb

    verb.run(checked, first, second, as_json)
