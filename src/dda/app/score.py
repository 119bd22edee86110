"""How real images look to a detector, line by line, as a reward or a filter in a pipe.    dda score [PATH...]"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dda.core.verdicts import Prediction
from dda.io.detecting import Detector, Views

STANDARD_INPUT = 0
READ_BYTES = 65536


@dataclass(frozen=True)
class Scored:
    """An image's path and its row: `path`, `score`, `logit`, `probability_real`, `error`."""

    path: str
    row: dict[str, Any]

    def passes(self, min_score: float) -> bool:
        """Whether it was judged, and looks as real as that."""
        return self.row["score"] is not None and self.row["score"] >= min_score

    def line(self) -> str:
        """One JSON object."""
        return json.dumps(self.row)


def run(model: str | Path, paths: Sequence[str], views: Views) -> Iterator[Scored]:
    """Scores of image files in their order: of these paths, or, where there are none, of those on standard input.

    What has arrived on standard input is answered before more is waited for.
    """
    detector = Detector.load(model)
    for some in [list(paths)] if paths else arriving(STANDARD_INPUT):
        for found in detector.stream(some, views):
            yield Scored(str(found.name), _row(found, detector.description["calibration"]["temperature"] or 1.0))


def arriving(handle: int) -> Iterator[list[str]]:
    """Lines of a file handle, in lists of all that are there at once; empty lines are left out."""
    rest = b""
    while content := os.read(handle, READ_BYTES):
        *lines, rest = (rest + content).split(b"\n")
        if found := _paths(lines):
            yield found
    if found := _paths([rest]):
        yield found


def _paths(lines: Iterable[bytes]) -> list[str]:
    return [os.fsdecode(path) for line in lines if (path := line.rstrip(b"\r"))]


def _row(found: Prediction, temperature: float) -> dict[str, Any]:
    return {
        "path": found.name,
        "score": None if found.logit is None else -found.logit / temperature,
        "logit": found.logit,
        "probability_real": None if found.probability is None else 1 - found.probability,
        "error": found.error,
    }
