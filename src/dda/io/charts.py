"""A report's charts as PNG files: small panels, one for each question, that a page lays out by its width."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import groupby
from typing import Any

import numpy as np

COLOURS = ("#1d4e89", "#c05621", "#2f855a", "#805ad5", "#b83280", "#718096", "#975a16", "#0987a0")
REAL_COLOUR, FAKE_COLOUR = "#2b6cb0", "#c05621"
STYLES = {"balanced_accuracy": "-", "auroc": "--", "accuracy_fake": "-"}
SIZE, DPI = (4.4, 3.5), 150
MAX_LETTERS = 22
Columns = Mapping[str, Any]


def roc(curves: Mapping[str, Columns], areas: Mapping[str, float]) -> bytes:
    """ROC curves by name (`fpr`, `tpr`), with the area under each."""
    figure, axis = _panel()
    for colour, (name, found) in _coloured(curves):
        label = f"{_short(name)}: {areas[name]:.3f}"
        axis.step(found["fpr"], found["tpr"], where="post", label=label, color=colour)
    axis.plot([0, 1], [0, 1], ":", color="grey", linewidth=1)
    axis.set(xlabel="share of reals called fake", ylabel="share of fakes called fake", xlim=(0, 1), ylim=(0, 1.01))
    axis.legend(loc="lower right", fontsize=8)
    return _png(figure)


def histogram(found: Columns) -> bytes:
    """How logits of real and fake images are spread (core.curves.histogram)."""
    figure, axis = _panel()
    width = found["high"] - found["low"]
    for name, colour in (("real", REAL_COLOUR), ("fake", FAKE_COLOUR)):
        if found[name].any():
            axis.bar(found["low"], found[name], width, align="edge", color=colour, alpha=0.55, label=name)
    axis.axvline(0, linestyle=":", color="black", linewidth=1)
    axis.set(xlabel="logit; above 0 is called fake", ylabel="images")
    axis.legend(fontsize=8)
    return _png(figure)


def reliability(curves: Mapping[str, Columns]) -> bytes:
    """Share of fakes against the mean probability of each bin, by name; larger points hold more images."""
    figure, axis = _panel()
    axis.plot([0, 1], [0, 1], ":", color="grey", linewidth=1, label="calibrated")
    for colour, (name, found) in _coloured(curves):
        sizes = 8 + 90 * found["images"] / found["images"].sum()
        axis.plot(found["probability"], found["share_fake"], color=colour, linewidth=1)
        axis.scatter(found["probability"], found["share_fake"], sizes, color=colour, label=_short(name), zorder=3)
    axis.set(xlabel="probability of fake, mean of a bin", ylabel="share of fakes in it")
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axis.legend(loc="upper left", fontsize=8)
    return _png(figure)


def robustness(curves: Mapping[str, Sequence[Columns]], as_is: Mapping[str, Sequence[Columns]], label: str) -> bytes:
    """Numbers with their intervals against a family's strength, by name; thin lines are those of untouched images."""
    figure, axis = _panel()
    for colour, (name, points) in _coloured(curves):
        for metric, found in groupby(sorted(points, key=lambda point: point["metric"]), lambda point: point["metric"]):
            of_metric = list(found)
            drawn = {key: [point[key] for point in of_metric] for key in ("strength", "value", "low", "high")}
            told = f"{_short(name)}: {metric.replace('_', ' ')}"
            axis.plot(drawn["strength"], drawn["value"], STYLES[metric], marker="o", ms=3, color=colour, label=told)
            axis.fill_between(drawn["strength"], drawn["low"], drawn["high"], color=colour, alpha=0.1, linewidth=0)
        for point in as_is.get(name, ()):
            axis.axhline(point["value"], linestyle=STYLES[point["metric"]], color=colour, linewidth=0.6, alpha=0.7)
    axis.set(xlabel=label, ylim=(0, 1.02))
    figure.legend(loc="outside lower center", ncols=2, fontsize=7, frameon=False)
    return _png(figure)


def chains(curves: Mapping[str, Sequence[Columns]]) -> bytes:
    """Numbers with their intervals under protocols that have no strength, a point for each, by name."""
    figure, axis = _panel()
    names = list(dict.fromkeys(point["protocol"] for points in curves.values() for point in points))
    for number, (colour, (name, points)) in enumerate(_coloured(curves)):
        shift = 0.22 * (number - (len(curves) - 1) / 2) / max(1, len(curves) - 1)
        for marker, metric in (("o", "balanced_accuracy"), ("o", "accuracy_fake"), ("D", "auroc")):
            mine = [point for point in points if point["metric"] == metric]
            rows = [names.index(point["protocol"]) + shift for point in mine]
            values = [point["value"] for point in mine]
            axis.hlines(rows, *([point[end] for point in mine] for end in ("low", "high")), color=colour, linewidth=1)
            if mine:
                told = f"{_short(name)}: {metric.replace('_', ' ')}"
                axis.plot(
                    values, rows, marker, ms=4, color=colour, mfc="white" if marker == "D" else colour, label=told
                )
    axis.set(yticks=range(len(names)), yticklabels=names, xlim=(0, 1.02), ylim=(len(names) - 0.5, -0.5))
    figure.legend(loc="outside lower center", ncols=2, fontsize=7, frameon=False)
    return _png(figure)


def polar(values: Mapping[str, Mapping[str, float | None]]) -> bytes:
    """A bar for each generator around a circle, from 0 to 1, by name of what was judged."""
    figure, axis = _panel(size=(4.8, 4.6), projection="polar")
    generators = list(dict.fromkeys(generator for found in values.values() for generator in found))
    angles = np.linspace(0, 2 * np.pi, len(generators), endpoint=False)
    width = 2 * np.pi / len(generators) * 0.82 / len(values)
    for number, (colour, (name, found)) in enumerate(_coloured(values)):
        places = angles + width * (number - (len(values) - 1) / 2)
        axis.bar(
            places, [found.get(one) or 0 for one in generators], width, color=colour, alpha=0.8, label=_short(name)
        )
    axis.set(ylim=(0, 1), xticks=angles, yticks=[0.25, 0.5, 0.75, 1.0])
    axis.set_xticklabels([_short(name) for name in generators], fontsize=8)
    axis.set_yticklabels(["", "0.5", "", "1"], fontsize=7, color="0.35")
    axis.set_theta_offset(np.pi / 2)
    axis.set_axisbelow(True)
    if len(values) > 1:
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    return _png(figure)


def _coloured(named: Mapping[str, Any]) -> Any:
    return [(COLOURS[place % len(COLOURS)], item) for place, item in enumerate(named.items())]


def _short(name: str) -> str:
    return name if len(name) <= MAX_LETTERS else f"{name[: MAX_LETTERS - 1]}…"


def _panel(size: tuple[float, float] = SIZE, projection: str | None = None) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot(projection=projection)
    axis.grid(alpha=0.25)
    if projection is None:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _png(figure: Any) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
