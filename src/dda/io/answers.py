"""What a server says of images: rows of predictions, with facts and heatmaps where they are asked for."""

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from dda.core import verdicts
from dda.core.errors import SetupError, did_you_mean
from dda.core.verdicts import Prediction
from dda.io import overlays, pictures, traces
from dda.io.detecting import Detector, Views
from dda.io.uploaded import Refused

WORDS = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False, "": False}


@dataclass(frozen=True)
class Question:
    """What a client wants to know of its images."""

    views: Views = "centre"
    max_fpr: float | None = None
    heatmap: bool = False
    facts: bool = False


def asked(options: Mapping[str, str], detector: Detector) -> Question:
    """The question in a request's options, all of them text. Raises Refused for what cannot be asked."""
    views: Any = options.get("views") or "centre"
    if views not in get_args(Views):
        raise Refused(422, f"there are no such views. {did_you_mean(views[:20], get_args(Views))}")
    rate = options.get("max_fpr") or None
    try:
        max_fpr = None if rate is None else float(rate)
        verdicts.limits(detector.description["calibration"], max_fpr)
    except ValueError as error:
        raise Refused(422, "max_fpr must be a number, such as 0.01") from error
    except SetupError as error:
        raise Refused(422, str(error)) from error
    return Question(views, max_fpr, _yes(options, "heatmap"), _yes(options, "facts"))


def _yes(options: Mapping[str, str], name: str) -> bool:
    word = options.get(name, "").lower()
    if word not in WORDS:
        raise Refused(422, f"{name} must be true or false")
    return WORDS[word]


def rows(detector: Detector, images: Sequence[bytes], question: Question, until: float) -> list[dict[str, Any]]:
    """A row for each file's bytes, one after the other, so that one decoded image is in memory at a time.

    A row is `Prediction.as_row()` with `gauge`: threshold and ends of the uncertain band as probabilities; and where
    asked for, `facts` (`io.traces.facts`) and `heatmap`: `image`, an address that holds a PNG, and `tiles`, the score
    of each. Both are None for what cannot be read or is too large, which nothing decodes any further. Raises
    TimeoutError when `until` (of time.monotonic) is over.
    """
    found = []
    for content in images:
        if time.monotonic() > until:
            raise TimeoutError
        found.append(_row(detector, content, question))
    return found


def _row(detector: Detector, content: bytes, question: Question) -> dict[str, Any]:
    (prediction,) = detector.predict([content], question.views, question.max_fpr)
    told = {**prediction.as_row(), "gauge": _gauge(detector, prediction)}
    if question.facts:
        told["facts"] = None if prediction.verdict == "unreadable" else traces.facts(content)
    if question.heatmap:
        told["heatmap"] = _heatmap(detector, content, question, prediction)
    return told


def _gauge(detector: Detector, prediction: Prediction) -> dict[str, float]:
    temperature = detector.description["calibration"]["temperature"]
    limits = prediction.limits
    ends = {"threshold": limits.threshold, "uncertain_from": limits.lower, "uncertain_to": limits.upper}
    return {name: verdicts.probability(logit, temperature) for name, logit in ends.items()}


def _heatmap(detector: Detector, content: bytes, question: Question, prediction: Prediction) -> dict[str, Any] | None:
    """Of tiles over the whole image, whatever the verdict was made of; None of what cannot be read."""
    if prediction.verdict == "unreadable":
        return None
    if question.views != "tiles":
        (prediction,) = detector.predict([content], "tiles", question.max_fpr)
    drawn = overlays.overlay(pictures.opened(content), prediction)
    address = "data:image/png;base64," + base64.b64encode(drawn).decode()
    return {"image": address, "tiles": overlays.scores(prediction)}
