"""Plots as PNG files, by matplotlib."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from dda.core.labels import FAKE, REAL
from dda.io.atomic import whole

Scores = Mapping[str, tuple[Any, Any]]
"""Labels and logits by the name of what was judged."""
REAL_COLOUR, FAKE_COLOUR = "#2b6cb0", "#c05621"
MAX_COLUMNS = 3


def roc(path: Path, scores: Scores) -> None:
    """ROC curves, one per name, with the area under each."""
    from sklearn.metrics import roc_auc_score, roc_curve

    figure, axes = _figure(1)
    for name, (labels, logits) in scores.items():
        false_positives, true_positives, _ = roc_curve(labels, logits)
        area = roc_auc_score(labels, logits)
        axes[0].step(false_positives, true_positives, where="post", label=f"{name}: {area:.3f}")
    axes[0].plot([0, 1], [0, 1], ":", color="grey", label="chance: 0.500")
    axes[0].set(
        xlabel="reals called fake",
        ylabel="fakes called fake",
        title="ROC, area under the curve",
        aspect="equal",
    )
    axes[0].legend(loc="lower right", fontsize=8)
    _save(figure, path)


def score_histograms(path: Path, scores: Scores) -> None:
    """How the logits of real and fake images are spread, one panel per name."""
    figure, axes = _figure(len(scores))
    for axis, (name, (labels, logits)) in zip(axes, scores.items(), strict=True):
        edges = np.linspace(logits.min(), logits.max(), 21)
        for label, word, colour in (
            (REAL, "real", REAL_COLOUR),
            (FAKE, "fake", FAKE_COLOUR),
        ):
            axis.hist(logits[labels == label], edges, alpha=0.6, color=colour, label=word)
        axis.axvline(0, linestyle=":", color="black")
        axis.set(xlabel="logit (above 0: called fake)", ylabel="images", title=name)
        axis.legend(fontsize=8)
    _save(figure, path)


def training_curves(path: Path, logs: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Loss of every update, its mean between validations, and what the validations say, over the updates."""
    figure, axes = _figure(2)
    for name, log in logs.items():
        updates, validations = ([line for line in log if ("val_loss" in line) is judged] for judged in (False, True))
        axes[0].plot(*_curve(updates, "loss"), color="0.8", linewidth=0.8, label=f"{name}: each update")
        for axis, keys in zip(axes, (("loss", "val_loss"), ("val_auroc", "val_balanced_accuracy")), strict=True):
            for key in keys:
                axis.plot(*_curve(validations, key), label=f"{name}: {key.replace('_', ' ')}")
    axes[0].set(xlabel="updates", title="loss", yscale="log")
    axes[1].set(xlabel="updates", title="on the validation pairs", ylim=(0, 1.02))
    for axis in axes:
        axis.legend(fontsize=8)
    _save(figure, path)


def _curve(lines: Sequence[Mapping[str, float]], key: str) -> tuple[list[float], list[float]]:
    return [line["step"] for line in lines], [line[key] for line in lines]


def probes(judged: Sequence[Mapping[str, Any]]) -> bytes:
    """AUROC of each probe with its interval and its limit, and before alignment where that is known; a PNG."""
    figure, (axis,) = _figure(1)
    styles = {"before": ("grey", "white", 0.18), "auroc": ("black", "black", 0.0)}
    names = [one["probe"].replace("_", " ") for one in judged]
    for row, one in enumerate(judged):
        for key, (colour, inside, shift) in styles.items():
            if found := one[key]:
                axis.plot([found["low"], found["high"]], [row + shift] * 2, "-", color=colour)
                axis.plot(found["value"], row + shift, "o", color=colour, mfc=inside)
        axis.plot([one["limit"]] * 2, [row - 0.35, row + 0.35], "-", color=FAKE_COLOUR, linewidth=2)
    axis.plot([], [], "o", color="black", label="these images")
    if any(one["before"] for one in judged):
        axis.plot([], [], "o", color="grey", mfc="white", label="before alignment")
    axis.plot([], [], "-", color=FAKE_COLOUR, linewidth=2, label="limit")
    axis.set(yticks=range(len(names)), yticklabels=names, xlim=(0.3, 1.02), xlabel="AUROC out of fold, 0.5 is chance")
    axis.invert_yaxis()
    axis.legend(fontsize=8, loc="lower right")
    return _png(figure)


def spectra(frequencies: Any, spectra_db: Mapping[str, Any], gaps_db: Mapping[str, Any]) -> bytes:
    """Spectra by name, with the bands in which eight of ten images lie, and the gaps real - fake; a PNG."""
    figure, axes = _figure(2)
    colours = {"real": REAL_COLOUR, "fake": FAKE_COLOUR, "raw": "grey"}
    words = {"real": "real", "fake": "fake", "raw": "reconstruction, before alignment"}
    for name, found in spectra_db.items():
        axes[0].fill_between(frequencies, found["low"], found["high"], color=colours[name], alpha=0.15, linewidth=0)
        axes[0].plot(frequencies, found["mean"], color=colours[name], label=words[name], marker=".")
    for name, values in gaps_db.items():
        axes[1].plot(frequencies, values, color=colours[name], label=words[name], marker=".")
    for axis in axes:
        axis.set(xlabel="cycles per pixel", xlim=(0, 0.5), ylabel="dB")
        axis.legend(fontsize=8)
    axes[0].set(title="power of the luminance: mean, and eight of ten images")
    axes[1].set(title="real minus fake, mean")
    axes[1].axhline(0, color="black", linewidth=0.8)
    return _png(figure)


def difference(real: Any, fake: Any, gain: float) -> Any:
    """Grey where two uint8 images agree, brighter where the fake is, `gain` times as strong as it really is.

    Of images that differ in size, the part that both have.
    """
    height, width = (min(sides) for sides in zip(real.shape[:2], fake.shape[:2], strict=True))
    real, fake = real[:height, :width], fake[:height, :width]
    amplified = (fake.astype(np.float32) - real.astype(np.float32)) * gain
    return np.rint(np.clip(128 + amplified, 0, 255)).astype(np.uint8)


def _figure(panels: int) -> tuple[Any, Any]:
    """A figure and its panels, at most MAX_COLUMNS beside one another."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    n_columns = min(panels, MAX_COLUMNS)
    n_rows = -(-panels // MAX_COLUMNS)
    figure = Figure(figsize=(5.2 * n_columns, 4.2 * n_rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axis in axes[:panels]:
        axis.grid(alpha=0.3)
    for axis in axes[panels:]:
        axis.remove()
    return figure, axes[:panels]


def _save(figure: Any, path: Path) -> None:
    with whole(path) as temporary:
        temporary.write_bytes(_png(figure))


def _png(figure: Any) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def contact_sheet(rows: Sequence[Any]) -> bytes:
    """Images (n, size, size, 3) of several rows under one another, a thin line between them; a PNG."""
    from PIL import Image

    sheet = np.concatenate([np.concatenate([np.pad(one, ((0, 2), (0, 2), (0, 0))) for one in row], 1) for row in rows])
    buffer = BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    return buffer.getvalue()
