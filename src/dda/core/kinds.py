"""Detectors that are no network of ours, by their kind: what a row of the catalog must say, and what a score means."""

import math
import re
from collections.abc import Mapping
from typing import Any

from dda.core import descriptions
from dda.core.descriptions import LABELS, Rules, is_number
from dda.core.errors import SetupError, did_you_mean

OUTPUTS = ("logit", "probability")
CLIPPED = 1e-7
FILE_FACTS = ("format", "mode", "jpeg_quality", "jpeg_tables", "subsampling", "progressive")
SIZE_FACTS = ("width", "height")
FACTS = (*FILE_FACTS, *SIZE_FACTS)
NOTE = "fitted on this very benchmark, out of fold: what anybody gets from the files alone, without a look at pixels"
"""What is to stand beside every number of the kind `metadata`."""
CALLABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}")

TEXT = (lambda value: isinstance(value, str) and bool(value), "a text that is not empty")
OUTPUT = (lambda value: value in OUTPUTS, " or ".join(OUTPUTS))
DIGEST = (lambda value: isinstance(value, str) and bool(SHA256.fullmatch(value)), "a sha256, 64 hex digits")
PIXELS = (lambda value: type(value) is int and value > 0, "a number of pixels above 0")
ABOVE_0 = (lambda value: is_number(value) and value > 0, "a number above 0")
SIZES: Rules = {name: (lambda value: type(value) is int, "a number") for name in ("parameters", "download_bytes")}
SEEN: Rules = {place: rule for place, rule in descriptions.RULES.items() if place.startswith("preprocessing.")}
EVERY: Rules = {"kind": TEXT, "licence": TEXT}
SAID: dict[str, Rules] = {
    "onnx": {
        "file": TEXT,
        "output": (lambda value: value in (*OUTPUTS, "two-logits"), " or ".join((*OUTPUTS, "two-logits"))),
        **SEEN,
    },
    "pyfunc": {"uri": TEXT, "output": OUTPUT},
    "callable": {
        "callable": (lambda value: isinstance(value, str) and bool(CALLABLE.fullmatch(value)), "package.module:name"),
        "output": OUTPUT,
    },
    "rigid": {
        "backbone": TEXT,
        "options": (lambda value: isinstance(value, dict), "an object of that network's options"),
        "pretrained": (lambda value: isinstance(value, bool), "true or false"),
        "noise": ABOVE_0,
        **SEEN,
    },
    "metadata": {
        "facts": (
            lambda value: isinstance(value, list) and bool(value) and all(one in FACTS for one in value),
            f"a list of some of {', '.join(FACTS)}",
        ),
    },
}
"""What a row of each kind must say."""
MAY_SAY: dict[str, Rules] = {
    "onnx": {"sha256": DIGEST},
    "pyfunc": {"input_px": PIXELS},
    "callable": {"input_px": PIXELS, "version": (lambda value: isinstance(value, int | str), "a number or a text")},
    "rigid": SIZES,
    "metadata": {},
}
FILES = (
    lambda value: isinstance(value, dict) and bool(value) and all(map(DIGEST[0], value.values())),
    "an object of sha256 by the names of files",
)
ADDED: dict[str, Rules] = {
    "onnx": {"files": FILES},
    "pyfunc": {"files": FILES},
    "callable": {"source_sha256": (lambda value: value is None or DIGEST[0](value), f"null or {DIGEST[1]}")},
    "rigid": {"similarity.threshold": (is_number, "a number"), "similarity.scale": ABOVE_0, "weights_sha256": DIGEST},
    "metadata": {},
}
"""What a description says beside its row."""


def describe(name: str, row: Mapping[str, Any], made_by: str) -> dict[str, Any]:
    """The description of a detector of this row, not calibrated, and without what putting it in place adds.

    Raises SetupError that names every place where the row is not what its kind needs.
    """
    check_row(row)
    return {
        "name": name,
        "made_by": made_by,
        "kind": row["kind"],
        "row": dict(row),
        "labels": dict(LABELS),
        "licence": row["licence"],
        "calibration": {"temperature": None, "thresholds": {}, "fitted_on": None},
        **({"note": NOTE} if row["kind"] == "metadata" else {}),
    }


def check_row(row: Mapping[str, Any]) -> None:
    """Raise SetupError that names every place where a row of a kind is not what its kind needs."""
    kind = row.get("kind")
    if not isinstance(kind, str) or kind not in SAID:
        raise SetupError(f"no kind of detector {kind!r}. {did_you_mean(str(kind), SAID)}")
    places = [*EVERY, *SAID[kind], *MAY_SAY[kind]]
    known = dict.fromkeys(place.partition(".")[0] for place in places)
    for key in row:
        if key not in known:
            raise SetupError(f"a detector of kind {kind} says no {key!r}. {did_you_mean(key, known)}")
    given = {place: rule for place, rule in MAY_SAY[kind].items() if place in row}
    descriptions.check(dict(row), {**EVERY, **SAID[kind], **given})


def check(description: Any) -> None:
    """Raise SetupError where a description is not what a detector of its kind needs."""
    row = description.get("row") if isinstance(description, dict) else None
    if not isinstance(row, dict):
        raise SetupError("row is missing, it must be the detector's row of the catalog")
    check_row(row)
    common = {place: rule for place, rule in descriptions.RULES.items() if place in ("name", "labels")}
    read = {place: rule for place, rule in descriptions.RULES.items() if place.startswith("calibration.")}
    descriptions.check(description, {**common, **read, **ADDED[row["kind"]]})


def logit(score: float, output: str) -> float:
    """The logit of a score: it itself, or that of a probability of "fake", which is kept 1e-7 away from 0 and 1.

    Raises ValueError for a probability outside [0, 1].
    """
    if output != "probability" or math.isnan(score):
        return score
    if not 0 <= score <= 1:
        raise ValueError(f"{score:.6g} is no probability")
    kept = min(max(score, CLIPPED), 1 - CLIPPED)
    return math.log(kept) - math.log1p(-kept)
