"""Verbs that decide which registered version serves."""

from typing import Annotated

import typer

from dda.cli.application import DEFAULT, AsJson, ParamsFile, app, load


@app.command()
def promote(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A number or an alias.")] = "challenger",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the gate would.")] = False,
    as_json: AsJson = False,
    params: ParamsFile = DEFAULT,
) -> None:
    """Challenger -> champion, if it is really better and answers as it should; exit status 1 where it is not."""
    checked = load(params)
    from dda.app import promote as verb
    from dda.stages import evaluate

    if not verb.run(checked, verb.Asked(version, dry_run), evaluate.run, as_json):
        raise typer.Exit(1)


@app.command()
def rollback(as_json: AsJson = False, params: ParamsFile = DEFAULT) -> None:
    """The champion before this one serves again."""
    checked = load(params)
    from dda.app import rollback as verb

    verb.run(checked, as_json)
