"""What a logit means for one image: a calibrated probability, and a verdict that may be "uncertain"."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dda.core.errors import SetupError
from dda.core.regions import Region

Verdict = Literal["real", "uncertain", "generated", "unreadable"]
CONFIDENCE = 0.8
"""A verdict is given only where the calibrated probability of its being right is above this."""

COLUMNS = (
    *("path", "verdict", "probability", "logit", "threshold", "uncertain_from", "uncertain_to", "calibrated"),
    *("views", "seen", "width", "height", "format", "notes", "error"),
)
"""What a row says of an image, in this order, in JSON, CSV and Parquet files and over HTTP."""


@dataclass(frozen=True)
class Limits:
    """Logits up to `lower` are real, those above `upper` generated, the rest is uncertain.

    `threshold` lies between them: whoever wants two classes and no third calls generated what lies above it.
    """

    threshold: float
    lower: float
    upper: float

    def verdict(self, logit: float) -> Verdict:
        """What a finite logit says."""
        if logit > self.upper:
            return "generated"
        return "real" if logit <= self.lower else "uncertain"


@dataclass(frozen=True)
class Window:
    """Where in the upright image a window lies, and the detector's logit for it."""

    region: Region
    logit: float


@dataclass(frozen=True)
class Prediction:
    """What a detector says of one image, or why it says nothing.

    `probability` is that of "generated", in [0, 1]; `logit` the mean over `windows`, above 0 for "generated". Both are
    None where `verdict` is "unreadable", and `error` says why. `threshold` and `limits` are logits; `calibrated` says
    whether the probability was fitted on validation pairs. `width` and `height` are those of the upright image in
    pixels. `seen` is the share of its pixels that the windows of `views` cover, in (0, 1]. `notes` say in sentences
    what was done to the image before the detector saw it. `name` is its path, where it came as one.
    `temperature` divides logits before they become probabilities; None for 1.
    """

    verdict: Verdict
    probability: float | None
    logit: float | None
    limits: Limits
    calibrated: bool
    views: str
    name: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    seen: float | None = None
    windows: tuple[Window, ...] = ()
    notes: tuple[str, ...] = ()
    error: str | None = None
    temperature: float | None = None

    @property
    def threshold(self) -> float:
        """The logit above which an image counts as generated where there is no third class."""
        return self.limits.threshold

    def as_row(self) -> dict[str, Any]:
        """All of it but the windows, as plain values by name: what files, the page and servers say of an image.

        `uncertain_from` and `uncertain_to` are the logits between which the verdict is "uncertain". What is no UTF-8
        in a path is escaped.
        """
        path = None if self.name is None else self.name.encode("utf-8", "backslashreplace").decode()
        between = {"uncertain_from": self.limits.lower, "uncertain_to": self.limits.upper}
        known = {name: getattr(self, name) for name in COLUMNS if name not in ("path", *between)}
        return {name: {**known, **between, "path": path, "notes": list(self.notes)}[name] for name in COLUMNS}


def limits(calibration: Mapping[str, Any], max_fpr: float | None = None) -> Limits:
    """The limits of a detector by its description's `calibration`.

    Without `max_fpr`, threshold 0: a probability of 0.5, and an uncertain band around it, in which neither class has
    the probability CONFIDENCE. With it, the threshold fitted so that at most this share of real validation images lies
    above it: all that lies above is called generated; real is only what lies below it and is so with CONFIDENCE.
    Raises SetupError for a rate that the detector has no threshold for.
    """
    band = (calibration["temperature"] or 1.0) * math.log(CONFIDENCE / (1 - CONFIDENCE))
    if max_fpr is None:
        return Limits(0.0, -band, band)
    fitted = {float(rate): logit for rate, logit in calibration["thresholds"].items()}
    if max_fpr not in fitted:
        known = ", ".join(f"{rate:g}" for rate in sorted(fitted))
        told = f"it has thresholds for {known}" if known else "it has none, since it was never calibrated"
        raise SetupError(f"the detector has no threshold for a false-positive rate of {max_fpr:g}: {told}")
    return Limits(fitted[max_fpr], min(-band, fitted[max_fpr]), fitted[max_fpr])


def probability(logit: float, temperature: float | None) -> float:
    """Of "generated", in [0, 1]: the sigmoid of logit / temperature; where that is None, of the plain logit."""
    return 0.5 * (1 + math.tanh(logit / (temperature or 1.0) / 2))
