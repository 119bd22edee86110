"""`dda benchmarks` and `dda benchmarks check NAME`; their code is imported when they run."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(invoke_without_command=True)
ParamsFile = Annotated[Path, typer.Option("--params", help="The parameters to use.")]
DEFAULT = Path("params.yaml")


@app.callback()
def benchmarks(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document with every fact.")] = False,
    params: ParamsFile = DEFAULT,
) -> None:
    """Benchmarks that the catalog knows, and how much of each is here."""
    if context.invoked_subcommand is None:
        from dda import params as parameters
        from dda.app import benchmarks as verb

        verb.run(parameters.load(params).paths.benchmarks, as_json)


@app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A benchmark of the catalog, in data/benchmarks.")],
    params: ParamsFile = DEFAULT,
) -> None:
    """Read every image of a benchmark: counts, checksums, a digest of it all; exit status 1 where anything is wrong."""
    from dda import params as parameters
    from dda.app import check_benchmark as verb

    if not verb.run(parameters.load(params).paths.benchmarks, name):
        raise typer.Exit(1)
