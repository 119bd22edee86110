"""What a finished pipeline has to show: results, two verdicts, and where to look further.    dda summary"""

import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dda.core.cases import NATIVE
from dda.core.errors import SetupError
from dda.core.verdicts import Prediction
from dda.io import page, pairs, tracking
from dda.io.detecting import Detector
from dda.params import Params


def run(params: Params) -> None:
    """Print the results table, the verdict on the first held-out pair, and the places of report and MLflow store."""
    path = params.paths.reports / "metrics.json"
    if not path.is_file():
        raise SetupError(f"no results at {path}: run `dvc repro`")
    console = Console(width=None if Console().is_terminal else 110)
    console.print(results(json.loads(path.read_text())))
    vae, detector = params.train.vaes[0], params.evaluate.detectors[0]
    held_out = pairs.load(params.paths.aligned / vae, "test")
    row = held_out.rows[0]
    predictions = Detector.load(params.paths.detectors / detector).predict(
        [held_out.content(row, side) for side in pairs.SIDES]
    )
    truths = ("a real photo", f"its reconstruction by {vae}, aligned")
    for truth, side, said in zip(truths, pairs.SIDES, predictions, strict=True):
        console.print(f"{truth}: {sentence(row[f'{side}_name'], said)}", highlight=False)
    console.print(
        f"\nReport:       {(params.paths.reports / 'index.html').resolve()}",
        highlight=False,
        soft_wrap=True,
    )
    store = tracking.store_uri()
    if tracking.has_runs():
        told = f"{store}\n              open it with: .venv/bin/mlflow ui --backend-store-uri {store}"
    else:
        told = f"nothing recorded at {store}: DVC had this detector in its cache, or MLflow was away while it trained"
    console.print(f"MLflow store: {told}", highlight=False, soft_wrap=True)


def results(metrics: dict[str, Any]) -> Table:
    """Balanced accuracy and AUROC of every detector on every benchmark, each with its 95 % interval."""
    table = Table(
        title="Held-out results, 95 % bootstrap intervals over pairs; chance is 0.500",
        title_justify="left",
    )
    for name in ("detector", "benchmark", "images", "balanced accuracy", "AUROC"):
        table.add_column(name)
    for detector, benchmarks in metrics.items():
        for benchmark, protocols in benchmarks.items():
            found = protocols.get(NATIVE) or next(iter(protocols.values()))
            numbers = [escape(page.shown(found[name])) for name in ("balanced_accuracy", "auroc")]
            table.add_row(detector, benchmark, f"{found['n_real']} real, {found['n_fake']} fake", *numbers)
    return table


def sentence(name: str, said: Prediction) -> str:
    """One line on one image."""
    if said.logit is None:
        return f"{name}: unreadable, {said.error}"
    return f"judged {said.verdict} (logit {said.logit:+.2f}, {name})"
