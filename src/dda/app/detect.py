"""A detector's verdict on images.    dda detect PATH... --model FOLDER"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from dda.core.verdicts import Prediction
from dda.io.detecting import Detector


def run(model: Path, paths: Sequence[Path]) -> Iterator[Prediction]:
    """Verdicts on files, in their order."""
    return Detector.load(model).stream(paths)
