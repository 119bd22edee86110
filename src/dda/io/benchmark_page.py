"""A benchmark's page: every number, curve, mistake and unreadable image of every detector on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dda.core import scores
from dda.core.findings import Findings
from dda.io import benchmark_charts, page
from dda.io.tables import records

NAMES = {
    "balanced_accuracy": "balanced accuracy",
    "auroc": "AUROC",
    "accuracy_real": "accuracy on real",
    "accuracy_fake": "accuracy on fake",
    "average_precision": "average precision",
    "tpr_at_fpr_0.01": "TPR at 1 % FPR",
    "tpr_at_fpr_0.05": "TPR at 5 % FPR",
    "eer": "EER",
    "ece": "ECE",
    "brier": "Brier score",
    "log_loss": "log loss",
    "apcer": "APCER",
    "bpcer": "BPCER",
    "acer": "ACER",
}
COUNTS = {"n_real": "real", "n_fake": "fake", "failed": "unreadable"}
NO_NUMBER = "the detector's score is not a number"
FEWER = ("balanced_accuracy", "auroc", "accuracy_real", "accuracy_fake", "average_precision", "tpr_at_fpr_0.05")
PARTS = {
    "generators": ("by generator", "generator", FEWER),
    "sources": ("reals by source", "source", ("false_positive_rate", "accuracy_real")),
    "resolutions": ("by shorter side in pixels", "pixels", FEWER),
}


@dataclass(frozen=True)
class Subject:
    """What a page is about: a benchmark's title, facts in words, what is known to be bad, paired comparisons."""

    title: str
    facts: dict[str, str]
    known_bad: Sequence[str] = ()
    compared: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def write(path: Path, subject: Subject, found: Sequence[Findings]) -> None:
    """Write the page of a benchmark; `found` has what each detector made of it."""
    summaries = [summary for one in found for summary in one.summaries.values()]
    content = {
        "title": subject.title,
        "facts": subject.facts,
        "known_bad": subject.known_bad,
        "compared": subject.compared,
        "detectors": [_detector(one) for one in found],
        "results": results(found),
        "has_worst": any(rows for one in found for rows in one.worst.values()),
        "unreadable": unreadable(found),
        "names": columns(summaries),
        "meanings": meanings(summaries),
        "charts": benchmark_charts.curves(found),
        "robustness": benchmark_charts.robustness(found),
    }
    page.render("benchmark.html", path, content)


def _detector(found: Findings) -> dict[str, Any]:
    return {
        "name": found.detector,
        "counts": found.summary,
        "data_digest": found.data_digest,
        "detector_digest": found.detector_digest,
        "protocols": found.summaries,
        "parts": {protocol: parts(summary) for protocol, summary in found.summaries.items() if "generators" in summary},
        "worst": found.worst,
    }


def results(found: Sequence[Findings]) -> dict[str, Mapping[str, Any]]:
    """Summaries of the protocols that have tables by generator: as they are, and as the paper has them."""
    return {
        f"{one.detector}, {protocol}": summary
        for one in found
        for protocol, summary in one.summaries.items()
        if "generators" in summary
    }


def columns(summaries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Titles of every number that any summary has, by name; those at own thresholds behind the plain ones."""
    known = list(dict.fromkeys(name for summary in summaries for name, found in summary.items() if found is not None))
    plain = {name: title for name, title in NAMES.items() if name in known}
    own = {}
    for name in known:
        metric, _, rate = name.partition("_at_fpr_")
        if rate and metric in ("balanced_accuracy", "accuracy_real", "accuracy_fake"):
            own[name] = f"{NAMES[metric]} at own threshold, {float(rate):.0%}"
    return {**plain, **own, **COUNTS}


def meanings(summaries: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What the columns are, by their titles."""
    shown = columns(summaries)
    found = {title: scores.MEANINGS[name] for name, title in shown.items() if name in scores.MEANINGS}
    return {**found, "own threshold": scores.AT_OWN_THRESHOLD}


def parts(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tables by generator, source and resolution; none where there is nothing in it."""
    found = []
    for key, (title, head, names) in PARTS.items():
        if summary[key]:
            titled = COUNTS | {name: NAMES.get(name, name.replace("_", " ")) for name in names}
            found.append({"title": title, "head": head, "names": titled, "rows": summary[key]})
    return found


def unreadable(found: Sequence[Findings]) -> list[dict[str, str]]:
    """Every image that somebody could not judge, with its reason, and under which protocols, of which detectors."""
    reasons: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for one in found:
        for protocol, table in one.tables.items():
            for row in records(table[table["logit"].isna()][["image_id", "error"]]):
                reasons.setdefault((row["image_id"], row["error"] or NO_NUMBER), []).append((one.detector, protocol))
    everywhere = [(one.detector, protocol) for one in found for protocol in one.tables]
    return [
        {"image": image, "reason": reason, "where": "everywhere" if places == everywhere else _places(places)}
        for (image, reason), places in reasons.items()
    ]


def _places(places: Sequence[tuple[str, str]]) -> str:
    detectors = dict.fromkeys(detector for detector, _ in places)
    return "; ".join(f"{one}: {', '.join(name for other, name in places if other == one)}" for one in detectors)
