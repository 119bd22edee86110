"""`dda generate`: prompts to images."""

from pathlib import Path
from typing import Annotated

import typer


def generate(
    generator: Annotated[str, typer.Argument(help="A text-to-image pipeline of the catalog.")],
    params: Annotated[Path, typer.Option("--params", help="The parameters to use.")] = Path("params.yaml"),
) -> None:
    """Prompts x one generator -> images, all fake: an EvalGEN of your own."""
    from dda.params import load

    checked = load(params)
    from dda.stages import generate as stage

    stage.run(checked, generator)
