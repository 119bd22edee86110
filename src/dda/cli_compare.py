"""`dda compare`, which `dda.cli` mounts."""

from pathlib import Path
from typing import Annotated

import typer


def compare(
    first: Annotated[str, typer.Argument(metavar="DETECTOR_A", help="A detector that `dda evaluate` has judged.")],
    second: Annotated[str, typer.Argument(metavar="DETECTOR_B", help="The one that it is compared with.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document with every number.")] = False,
    params_file: Annotated[Path, typer.Option("--params", help="The parameters to use.")] = Path("params.yaml"),
) -> None:
    """Two detectors on the same images: who is right alone, and how large the difference is."""
    from dda import params

    checked = params.load(params_file)
    from dda.app import compare as verb

    verb.run(checked, first, second, as_json)
