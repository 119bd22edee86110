"""predictions -> report: numbers with intervals, plots, and one page with a gallery of pairs.    dda report"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dda.core import scores
from dda.io import atomic, page, pairs, photos, plots, shards, tables
from dda.params import Params

NATIVE = "native"


def run(params: Params) -> None:
    """Compute everything from the predictions of the detectors and benchmarks that the parameters name."""
    predictions = {
        Judged(detector, benchmark, str(protocol)): table
        for (detector, benchmark), path in prediction_files(params).items()
        for protocol, table in tables.read(path).groupby("protocol", sort=True)
    }
    summaries = {judged: summarise(table, params, judged.detector) for judged, table in predictions.items()}
    folder = params.paths.reports
    atomic.write_json(folder / "metrics.json", nested(summaries))
    atomic.write_text(folder / "results.md", markdown(summaries))
    logits = {str(judged): found for judged, table in predictions.items() if (found := logits_of(table)) is not None}
    plots.roc(folder / "roc.png", logits)
    plots.score_histograms(folder / "scores.png", logits)
    plots.training_curves(
        folder / "training.png",
        {name: training_log(params, name) for name in params.evaluate.detectors},
    )
    content = {
        "rows": table_rows(summaries),
        "failures": failures(predictions),
        "audits": [json.loads((params.paths.audits / f"{vae}.json").read_text()) for vae in params.reconstruct.vaes],
        "plots": [folder / name for name in ("roc.png", "scores.png", "training.png")],
        "gallery": {vae: gallery(params, vae) for vae in params.reconstruct.vaes},
        "gain": params.report.difference_gain,
    }
    page.render("report.html", folder / "index.html", content)
    print(markdown(summaries) + f"\nReport: {folder / 'index.html'}")


class Judged(NamedTuple):
    """What a table of predictions is of; it reads as `embedded on genimage, fakes-q96`."""

    detector: str
    benchmark: str
    protocol: str

    def __str__(self) -> str:
        named = f"{self.detector} on {self.benchmark}"
        return named if self.protocol == NATIVE else f"{named}, {self.protocol}"


def prediction_files(params: Params) -> dict[tuple[str, str], Path]:
    """The predictions to report on, by detector and benchmark."""
    benchmarks = [*(f"aligned-{vae}" for vae in params.reconstruct.vaes), *params.evaluate.benchmarks]
    return {
        (detector, benchmark): params.paths.predictions / detector / f"{benchmark}.parquet"
        for detector in params.evaluate.detectors
        for benchmark in benchmarks
    }


def summarise(table: pd.DataFrame, params: Params, detector: str) -> dict[str, Any]:
    """All images together, the benchmark's score, and numbers by generator, source and resolution."""
    calibration = json.loads((params.paths.detectors / detector / "detector.json").read_text("utf-8"))["calibration"]
    settings = scores.Settings(
        params.report.bootstrap_samples, params.report.seed, calibration["temperature"], calibration["thresholds"]
    )
    score = {"score": scores.benchmark_score(table, settings)}
    return scores.summarise(table, settings) | score | scores.breakdown(table, settings)


def nested(summaries: dict[Judged, dict[str, Any]]) -> dict[str, Any]:
    """Summaries by detector, then benchmark, then protocol, as DVC shows metrics."""
    tree: dict[str, Any] = {}
    for judged, summary in summaries.items():
        tree.setdefault(judged.detector, {}).setdefault(judged.benchmark, {})[judged.protocol] = summary
    return tree


def table_rows(summaries: dict[Judged, dict[str, Any]]) -> list[dict[str, str]]:
    """The results table: one row per detector, benchmark and protocol, each number with its interval."""
    return [
        {
            "judged": str(judged),
            "balanced accuracy": page.shown(summary["balanced_accuracy"]),
            "AUROC": page.shown(summary["auroc"]),
            "accuracy on real": page.shown(summary["accuracy_real"]),
            "accuracy on fake": page.shown(summary["accuracy_fake"]),
            "real images": str(summary["n_real"]),
            "fake images": str(summary["n_fake"]),
            "unreadable": str(summary["failed"]),
        }
        for judged, summary in summaries.items()
    ]


def markdown(summaries: dict[Judged, dict[str, Any]]) -> str:
    """The results table as Markdown."""
    rows = table_rows(summaries)
    header = list(rows[0])
    lines = [header, ["---"] * len(header), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def logits_of(table: pd.DataFrame) -> tuple[Any, Any] | None:
    """Labels and logits of what could be judged, or None where only one class is there."""
    judged = table.dropna(subset=["logit"])
    if judged["label"].nunique() < 2:
        return None
    return judged["label"].to_numpy(int), judged["logit"].to_numpy(float)


def failures(predictions: dict[Judged, pd.DataFrame]) -> list[dict[str, Any]]:
    """Every image that could not be judged, with its reason."""
    return [
        {"judged": str(judged), "image": row["image_id"], "reason": row["error"]}
        for judged, table in predictions.items()
        for row in tables.records(table)
        if row["error"]
    ]


def training_log(params: Params, detector: str) -> list[dict[str, float]]:
    """The detector's log: a line for every update and every validation."""
    lines = (params.paths.detectors / detector / "log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def gallery(params: Params, vae: str) -> list[dict[str, Any]]:
    """Held-out pairs, evenly chosen by id: real, reconstruction, aligned fake, difference, and their logits."""
    pair_set = pairs.load(params.paths.aligned / vae, "test")
    manifest = tables.read(params.paths.reconstructions / vae / "manifest.parquet").set_index("image_id")
    detector = params.evaluate.detectors[0]
    table = tables.read(params.paths.predictions / detector / f"aligned-{vae}.parquet")
    table = table[table["protocol"] == NATIVE].set_index("image_id")
    step = max(1, len(pair_set.rows) // params.report.gallery_pairs)
    shown_pairs = []
    for row in pair_set.rows[::step][: params.report.gallery_pairs]:
        place = manifest.loc[row["image_id"]]
        shard = params.paths.reconstructions / vae / str(place["shard"])
        reconstruction = shards.read_at(shard, int(place["offset"]), int(place["size"]))
        real, fake = (pair_set.pixels(row, side) for side in pairs.SIDES)
        shown_pairs.append(
            {
                "image_id": row["image_id"],
                "psnr": float(place["psnr"]),
                "real": pair_set.content(row, "real"),
                "reconstruction": reconstruction,
                "aligned": pair_set.content(row, "fake"),
                "difference": photos.encode_png(plots.difference(real, fake, params.report.difference_gain)),
                **{f"{side}_logit": float(table.loc[row[f"{side}_name"], "logit"]) for side in pairs.SIDES},
            }
        )
    return shown_pairs
