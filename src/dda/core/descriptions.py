"""detector.json: what one must know to use a detector's weights and to read its score."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL

LABELS = {"real": REAL, "fake": FAKE}
ABSENT = object()
Rules = Mapping[str, tuple[Callable[[Any], bool], str]]
"""By a dotted place: whether a value holds there, and in words what is allowed."""


def describe(name: str, row: Mapping[str, Any], made_by: str) -> dict[str, Any]:
    """The description of a detector of this row: not calibrated, and without what its training adds."""
    return {
        "name": name,
        "made_by": made_by,
        "architecture": {"backbone": row["backbone"], "options": dict(row["options"])},
        "preprocessing": dict(row["preprocessing"]),
        "labels": dict(LABELS),
        "licence": row["licence"],
        "adapter": dict(row["lora"]) if row["lora"] else None,
        "calibration": {"temperature": None, "thresholds": {}, "fitted_on": None},
    }


def check(description: Any, rules: Rules | None = None) -> None:
    """Raise SetupError that names every place where a description breaks these rules: those of our networks."""
    rules = RULES if rules is None else rules
    found = {place: _at(description, place) for place in rules}
    wrong = [
        f"{place} is {'missing' if found[place] is ABSENT else repr(found[place])}, it must be {allowed}"
        for place, (holds, allowed) in rules.items()
        if found[place] is ABSENT or not holds(found[place])
    ]
    if wrong:
        raise SetupError("; ".join(wrong))


def _at(description: Any, place: str) -> Any:
    """The value at a dotted place."""
    value = description
    for key in place.split("."):
        if not isinstance(value, dict) or key not in value:
            return ABSENT
        value = value[key]
    return value


def is_number(value: Any) -> bool:
    """Whether a value of a description is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_colours(value: Any, above: float) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(is_number(one) and one > above for one in value)


def _are_thresholds(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    rates = [rate for rate in value if rate.replace(".", "", 1).isdigit() and 0 < float(rate) < 1]
    return len(rates) == len(value) and all(map(is_number, value.values()))


RULES: Rules = {
    "name": (lambda value: isinstance(value, str), "a name"),
    "architecture.backbone": (lambda value: isinstance(value, str), "the name of a network of timm"),
    "architecture.options": (lambda value: isinstance(value, dict), "an object of that network's options"),
    "preprocessing.input_px": (lambda value: type(value) is int and value > 0, "a number of pixels above 0"),
    "preprocessing.crop": (lambda value: value == "centre", "'centre'"),
    "preprocessing.pad": (lambda value: value == "black", "'black'"),
    "preprocessing.mean": (lambda value: _are_colours(value, -math.inf), "three numbers"),
    "preprocessing.std": (lambda value: _are_colours(value, 0), "three numbers above 0"),
    "labels": (lambda value: value == LABELS, str(LABELS)),
    "calibration.temperature": (
        lambda value: value is None or (is_number(value) and value > 0),
        "a number above 0, or null",
    ),
    "calibration.thresholds": (_are_thresholds, "logits by their rate of false positives, such as {'0.01': 2.3}"),
}
