"""predictions -> report: numbers with intervals, leaderboard, a page for each benchmark, plots.    dda report"""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from dda import catalog
from dda.core import cases, scores, sets, standings
from dda.core.cases import Case
from dda.core.comparison import compare
from dda.core.findings import Findings
from dda.io import (
    atomic,
    benchmark_page,
    curve_files,
    gallery,
    leaderboard_page,
    page,
    plots,
    predictions,
    results,
    tables,
    tracking,
    versioning,
    worst,
)
from dda.io.progress import shown
from dda.params import Params

PROTOCOL_OF_ATTACKS = "presentation-attack"


def run(params: Params) -> None:
    """Compute everything from the predictions of the detectors and benchmarks that the parameters name."""
    named = [(detector, benchmark) for benchmark in benchmarks_of(params) for detector in params.evaluate.detectors]
    with shown("report", len(named)) as advance:
        found = [findings(params, *one, advance) for one in named]
    folder = params.paths.reports
    summaries = {
        Case(one.detector, one.benchmark, protocol): summary
        for one in sorted(found, key=lambda one: params.evaluate.detectors.index(one.detector))
        for protocol, summary in one.summaries.items()
    }
    atomic.write_json(folder / "metrics.json", cases.nested(summaries))
    atomic.write_text(folder / "results.md", results.markdown(found))
    curve_files.write(folder / "plots", found)
    write_benchmarks(params, found)
    write_leaderboard(params, found)
    write_index(params, found)
    for detector in params.evaluate.detectors:
        track(params, detector, [one for one in found if one.detector == detector], summaries)
    print(results.markdown(found) + f"\nReport: {folder / 'index.html'}")


def benchmarks_of(params: Params) -> list[str]:
    """Sets of our own, then the benchmarks of the catalog that the parameters name."""
    return sets.names(params.reconstruct.vaes, params.generate.generators, params.evaluate.benchmarks)


def row_of(benchmark: str) -> Mapping[str, Any]:
    """A benchmark's row of the catalog; empty of a set of our own."""
    return {} if sets.is_ours(benchmark) else catalog.get("benchmarks", benchmark)


def findings(params: Params, detector: str, benchmark: str, advance: Callable[[int], None]) -> Findings:
    """All numbers of one detector on one benchmark, from its table of predictions."""
    path = predictions.path_of(params.paths.predictions, detector, benchmark)
    table, row = tables.read(path), row_of(benchmark)
    known = cases.ordered(table["protocol"].unique(), params.evaluate.protocols)
    by_protocol = {protocol: predictions.selected(table, protocol) for protocol in known}
    in_parts = {known[0], cases.compared_with_paper(row.get("protocol", cases.NATIVE), known)}
    settings = settings_of(params, detector, row.get("protocol") == PROTOCOL_OF_ATTACKS)
    summaries = {
        protocol: scores.numbers(of_protocol, settings, protocol in in_parts)
        for protocol, of_protocol in by_protocol.items()
    }
    advance(1)
    first = by_protocol[known[0]]
    weights = description(params, detector).get("weights_sha256")
    return Findings(
        detector,
        benchmark,
        by_protocol,
        summaries,
        settings.temperature,
        predictions.data_digest(first),
        weights or " ".join(sorted(first["inference"].unique())),
        worst.read(path),
    )


def description(params: Params, detector: str) -> dict[str, Any]:
    """A detector's description; empty of one that is not ours."""
    path = params.paths.detectors / detector / "detector.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found


def settings_of(params: Params, detector: str, attacks: bool) -> scores.Settings:
    """How numbers are made: the parameters, and the detector's own calibration, where it has one."""
    calibration = description(params, detector).get("calibration", {"temperature": None, "thresholds": {}})
    drawn = (params.report.bootstrap_samples, params.report.seed)
    return scores.Settings(*drawn, calibration["temperature"], calibration["thresholds"], attacks)


def write_benchmarks(params: Params, found: Sequence[Findings]) -> None:
    """A page for each benchmark; pages of others, from before, go."""
    folder = params.paths.reports / "benchmarks"
    for benchmark, of_benchmark in groupby(found, lambda one: one.benchmark):
        here = list(of_benchmark)
        subject = subject_of(benchmark, compared(here, settings_of(params, here[0].detector, attacks=False)))
        notes = {one.detector: description(params, one.detector).get("note") for one in here}
        subject.facts.update({name: note for name, note in notes.items() if note})
        benchmark_page.write(folder / f"{benchmark}.html", subject, here)
    for path in set(folder.glob("*.html")) - {folder / f"{name}.html" for name in benchmarks_of(params)}:
        path.unlink()


def subject_of(benchmark: str, paired: Sequence[Mapping[str, Any]]) -> benchmark_page.Subject:
    """What the page of a benchmark says of it."""
    row = row_of(benchmark)
    if not row:
        return benchmark_page.Subject(sets.title(benchmark), {"images": sets.told(benchmark)}, (), paired)
    told = {"the paper's protocol": row["protocol"], "source": row["source"], "terms": row["terms"]}
    expected = {side: row["expected"].get(side) for side in ("real", "fake")}
    counts = ", ".join("unknown" if n is None else f"{n:,} {side}" for side, n in expected.items())
    told |= {"images expected": counts, "version": str(row["version"]), "notes": row["notes"]}
    told |= {"shares images with": ", ".join(row["overlaps"])} if row["overlaps"] else {}
    return benchmark_page.Subject(row["title"], told, row["known_bad"], paired)


def compared(here: Sequence[Findings], settings: scores.Settings) -> list[dict[str, Any]]:
    """The first detector against each of the others, on the same images."""
    first, *others = here
    return [
        {
            "first": first.detector,
            "second": other.detector,
            "found": compare(first.tables[first.protocol], other.tables[other.protocol], settings),
        }
        for other in others
        if other.protocol == first.protocol
    ]


def write_leaderboard(params: Params, found: Sequence[Findings]) -> None:
    """Our detectors beside the published ones, by the protocol of the paper where we have it.

    What was fitted on the benchmark itself, of which its description has a note, stands on pages only.
    """
    own = [name for name in params.evaluate.detectors if "note" not in description(params, name)]
    ours: dict[str, list[standings.Origin]] = {detector: [] for detector in own}
    for one in found:
        origin = origin_of(params, one)
        if origin and one.detector in ours:
            ours[one.detector].append(origin)
    table = standings.table(catalog.table("published"), catalog.table("benchmarks"), ours)
    leaderboard_page.write(params.paths.reports, table, benchmarks_of(params))


def origin_of(params: Params, one: Findings) -> standings.Origin | None:
    """The number of a cell of the leaderboard; None where there is none, or the benchmark is none of the catalog."""
    row = row_of(one.benchmark)
    protocol = cases.compared_with_paper(row["protocol"], one.summaries) if row else None
    summary = one.summaries[protocol] if protocol else {}
    if not protocol or not summary["score"]:
        return None
    settings = (params.report.seed, params.report.bootstrap_samples)
    digests, counts = (one.data_digest, one.detector_digest), (summary["images"], summary["failed"])
    return standings.Origin(one.detector, one.benchmark, protocol, *settings, *digests, *counts, summary["score"])


def write_index(params: Params, found: Sequence[Findings]) -> None:
    """The page that leads to all others, with plots of the held-out pairs."""
    folder = params.paths.reports
    drawn = {one.name: one.judged for one in found if one.benchmark.startswith(sets.ALIGNED) and one.has_both}
    plots.roc(folder / "roc.png", drawn)
    plots.score_histograms(folder / "scores.png", drawn)
    logs = {name: training_log(params, name) for name in params.evaluate.detectors}
    plots.training_curves(folder / "training.png", {name: log for name, log in logs.items() if log})
    first = {one.benchmark: one for one in found if one.detector == params.evaluate.detectors[0]}
    content = {
        "rows": list(zip([one.benchmark for one in found], results.rows(found), strict=True)),
        "titles": {name: row_of(name).get("title") or sets.title(name) for name in first},
        "failed": {name: one.summary["failed"] for name, one in first.items()},
        "audits": [json.loads((params.paths.audits / f"{vae}.json").read_text()) for vae in params.reconstruct.vaes],
        "plots": [folder / name for name in ("roc.png", "scores.png", "training.png")],
        "gallery": {vae: pairs_of(params, vae, first[f"{sets.ALIGNED}{vae}"]) for vae in params.reconstruct.vaes},
        "gain": params.report.difference_gain,
    }
    page.render("report.html", folder / "index.html", content)


def training_log(params: Params, detector: str) -> list[dict[str, float]]:
    """The detector's log: a line for every update and every validation; none of one that was not trained here."""
    path = params.paths.detectors / detector / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def pairs_of(params: Params, vae: str, judged: Findings) -> list[Any]:
    """Held-out pairs of a VAE with the first detector's logits."""
    logits = judged.tables[judged.protocol].set_index("image_id")["logit"]
    folders = (params.paths.aligned / vae, params.paths.reconstructions / vae)
    return gallery.shown(*folders, logits, params.report.gallery_pairs, params.report.difference_gain)


def track(params: Params, detector: str, mine: Sequence[Findings], summaries: Mapping[Case, Any]) -> None:
    """A run of MLflow's with the same numbers as metrics.json, by names such as genimage/native/auroc."""
    data = {one.benchmark: (str(place_of(params, one.benchmark)), one.data_digest) for one in mine}
    commit = versioning.commit()
    tags = {"detector": detector, "detector_digest": mine[0].detector_digest}
    tags |= {f"data_digest.{one.benchmark}": one.data_digest for one in mine}
    tags |= {"mlflow.source.git.commit": commit} if commit else {}
    described = tracking.Description(f"report {detector}", {"report": params.report.model_dump()}, data, tags)
    with tracking.run(described, watched=False) as tracked:
        tracked.log(dict(cases.flat(summaries, detector)), step=0)


def place_of(params: Params, benchmark: str) -> Path:
    """Where the images of a benchmark lie."""
    if sets.is_ours(benchmark):
        aligned = benchmark.startswith(sets.ALIGNED)
        return (params.paths.aligned if aligned else params.paths.generated) / sets.made_by(benchmark)
    return params.paths.benchmarks / benchmark
