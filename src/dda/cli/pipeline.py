"""The pipeline's verbs, one for each stage, and what it came to."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from dda.cli.application import DEFAULT, DetectorName, ParamsFile, Vae, app, load


class Views(Enum):
    """One window, that and the corners, or the whole image."""

    centre = "centre"
    five = "five"
    tiles = "tiles"


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
    detector: Annotated[str, typer.Argument(metavar="DETECTOR", help="A detector of the catalog, or its folder.")],
    benchmark: Annotated[str, typer.Argument(help="`aligned-VAE` for held-out pairs, or a benchmark's name.")] = "",
    data: Annotated[Path | None, typer.Option(help="Instead: a folder with class folders, a CSV or a Parquet.")] = None,
    output: Annotated[Path, typer.Option(help="Where predictions and metrics on --data go.")] = Path("evaluation"),
    protocols: Annotated[str, typer.Option(help="What is done to the images of --data, by commas.")] = "native",
    views: Annotated[Views, typer.Option(help="Where a detector looks in --data.")] = Views.centre,
    params: ParamsFile = DEFAULT,
) -> None:
    """Detector x benchmark -> predictions; with --data, a set of your own -> predictions and metrics."""
    if bool(benchmark) == bool(data):
        raise typer.BadParameter("name either a benchmark or --data")
    if data:
        evaluate_set(detector, data, output, params, (protocols, views))
        return
    checked = load(params)
    from dda.stages import evaluate as stage

    stage.run(checked, detector, benchmark)


def evaluate_set(detector: str, data: Path, output: Path, params: Path, asked: tuple[str, Views]) -> None:
    """Judge a set of one's own; parameters are read only where the detector is named and no folder."""
    folder = Path(detector) if Path(detector).is_dir() else load(params).paths.detectors / detector
    from dda.app import evaluate_set as verb

    names = tuple(name.strip() for name in asked[0].split(","))
    verb.run(folder, data, output, verb.Settings(names, asked[1].value, "float32", seed=0, samples=1000))


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
