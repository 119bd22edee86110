"""The pipeline's verbs, one for each stage, and what it came to."""

from typing import Annotated

import typer

from dda.cli.application import DEFAULT, DetectorName, ParamsFile, Vae, app, load


@app.command()
def index(params: ParamsFile = DEFAULT) -> None:
    """Photos -> index: a row per file, used or rejected with its reason."""
    checked = load(params)
    from dda.stages import index as stage

    stage.run(checked)


@app.command()
def reconstruct(vae: Vae, params: ParamsFile = DEFAULT) -> None:
    """Index x one VAE -> reconstructions."""
    checked = load(params)
    from dda.stages import reconstruct as stage

    stage.run(checked, vae)


@app.command()
def align(vae: Vae, params: ParamsFile = DEFAULT) -> None:
    """Reconstructions -> aligned pairs."""
    checked = load(params)
    from dda.stages import align as stage

    stage.run(checked, vae)


@app.command()
def audit(vae: Vae, params: ParamsFile = DEFAULT) -> None:
    """Aligned pairs -> verdict; exit status 1 where a critical expectation fails."""
    checked = load(params)
    from dda.stages import audit as stage

    stage.run(checked, vae)


@app.command()
def train(detector: DetectorName, params: ParamsFile = DEFAULT) -> None:
    """Aligned pairs -> detector."""
    checked = load(params)
    from dda.stages import train as stage

    stage.run(checked, detector)


@app.command()
def generate(
    generator: Annotated[str, typer.Argument(help="A text-to-image pipeline of the catalog.")],
    params: ParamsFile = DEFAULT,
) -> None:
    """Prompts x one generator -> images, all fake: an EvalGEN of your own."""
    checked = load(params)
    from dda.stages import generate as stage

    stage.run(checked, generator)


@app.command()
def evaluate(
    detector: DetectorName,
    benchmark: Annotated[
        str,
        typer.Argument(help="`aligned-VAE` for held-out pairs, or a folder of data/benchmarks."),
    ],
    params: ParamsFile = DEFAULT,
) -> None:
    """Detector x benchmark -> predictions."""
    checked = load(params)
    from dda.stages import evaluate as stage

    stage.run(checked, detector, benchmark)


@app.command()
def report(params: ParamsFile = DEFAULT) -> None:
    """Predictions -> numbers with intervals, plots, one page."""
    checked = load(params)
    from dda.stages import report as stage

    stage.run(checked)


@app.command()
def summary(params: ParamsFile = DEFAULT) -> None:
    """Print the results, two verdicts, and where report and MLflow store are."""
    checked = load(params)
    from dda.app import summary as verb

    verb.run(checked)
