"""Which charts a benchmark's page has, each with its title and the words for those who do not see it."""

from collections.abc import Mapping, Sequence
from typing import Any

from dda.core import curves as points_of
from dda.core.findings import Findings
from dda.core.protocols import FAMILIES
from dda.io import charts

Chart = dict[str, Any]
IN_TABLES = "the numbers stand in the tables of this page"


def curves(found: Sequence[Findings]) -> list[Chart]:
    """ROC, reliability, one histogram for each detector, and the polar bars of generators."""
    drawn = {one.detector: one.curves() for one in found}
    kinds = {kind: {name: known[kind] for name, known in drawn.items() if kind in known} for kind in KINDS}
    made = []
    if kinds["roc"]:
        areas = {one.detector: one.summary["auroc"]["value"] for one in found if one.has_both}
        text = "Area under each curve in the legend."
        made.append(_chart(charts.roc(kinds["roc"], areas), "ROC", text, "ROC curves; their areas stand in the table"))
        text = "Of calibrated probabilities; on the dotted line they mean what they say."
        made.append(
            _chart(
                charts.reliability(kinds["reliability"]),
                "Reliability",
                text,
                f"share of fakes by probability; ECE: {IN_TABLES}",
            )
        )
    for name, columns in kinds["scores"].items():
        title = f"Scores of {name}"
        made.append(_chart(charts.histogram(columns), title, "", f"how the logits of {name} on real and fake spread"))
    return made + _generators(found)


KINDS = ("roc", "reliability", "scores")


def _generators(found: Sequence[Findings]) -> list[Chart]:
    values = {one.detector: by_generator(one.summary) for one in found}
    if max(map(len, values.values()), default=0) < 2:
        return []
    is_alone = not any(one.has_both for one in found)
    metric = "share of fakes found" if is_alone else "balanced accuracy"
    text = f"{metric.capitalize()} of each generator; the middle is 0."
    return [_chart(charts.polar(values), "Generators", text, f"{metric} by generator: {IN_TABLES}")]


def by_generator(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """What the polar bars show: balanced accuracies, and shares of fakes found where there is no real."""
    found = {}
    for name, one in summary.get("generators", {}).items():
        number = one["balanced_accuracy"] or one["accuracy_fake"]
        found[name] = number["value"] if number else None
    return found


def robustness(found: Sequence[Findings]) -> list[Chart]:
    """A chart for each family of protocols that was asked, and one for those without a strength."""
    points = {one.detector: one.robustness() for one in found}
    as_is = {name: [point for point in mine if point["protocol"] == "native"] for name, mine in points.items()}
    made = []
    for family in dict.fromkeys(point["family"] for mine in points.values() for point in mine):
        of_family = {name: [point for point in mine if point["family"] == family] for name, mine in points.items()}
        alt = f"numbers against {family}: {IN_TABLES}"
        if family != points_of.CHAINS:
            png = charts.robustness(of_family, as_is, f"{family}: {FAMILIES[family][2]}")
            made.append(_chart(png, family, "", alt))
        elif any(point["protocol"] != "native" for mine in of_family.values() for point in mine):
            made.append(_chart(charts.chains(of_family), "as they are, saved again, and chains", "", alt))
    return made


def _chart(png: bytes, title: str, text: str, alt: str) -> Chart:
    return {"png": png, "title": title, "text": text, "alt": alt}
