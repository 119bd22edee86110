"""The application that verbs are added to, and the options that several share."""

from pathlib import Path
from typing import Annotated, Any

import typer

# help drawn by rich would cost a third of a second at every start
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

ParamsFile = Annotated[Path, typer.Option("--params", help="The parameters to use.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document with every fact.")]
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
