"""Verbs for the model registry: versions of detectors, and what made them."""

from typing import Annotated

import typer

from dda.cli.application import DEFAULT, AsJson, ParamsFile, app, load


@app.command()
def register(
    detector: Annotated[
        str | None, typer.Argument(metavar="DETECTOR", help="A detector or its folder; else promote.detector.")
    ] = None,
    as_json: AsJson = False,
    params: ParamsFile = DEFAULT,
) -> None:
    """A finished detector -> a version of the registered model, the challenger; again to add what came later."""
    checked = load(params)
    from dda.app import register as verb

    verb.run(checked, params, detector, as_json)


@app.command()
def models(as_json: AsJson = False, params: ParamsFile = DEFAULT) -> None:
    """Versions of the registered model: aliases, scores, what the gate said."""
    checked = load(params)
    from dda.app import models as verb

    verb.run(checked, as_json)


@app.command()
def lineage(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A version's number or alias.")] = "champion",
    as_json: AsJson = False,
    params: ParamsFile = DEFAULT,
) -> None:
    """Which photos, VAEs, alignment, audit, training and evaluation made a version."""
    checked = load(params)
    from dda.app import lineage as verb

    verb.run(checked, version, as_json)
