"""A detector's verdict on images.    dda detect PATH... --model FOLDER"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dda.io import photos
from dda.io.detectors import Detector, Prediction

MAX_PIXELS = 200_000_000


@dataclass(frozen=True)
class Verdict:
    """What a detector says of one image, or why it says nothing; `temperature` is None where it is not calibrated."""

    name: str
    logit: float | None
    error: str | None = None
    temperature: float | None = None

    @property
    def word(self) -> str:
        """real, generated or unreadable."""
        if self.logit is None:
            return "unreadable"
        return "generated" if self.logit > 0 else "real"

    @property
    def probability(self) -> float | None:
        """Of "generated", in [0, 1]."""
        return None if self.logit is None else Prediction(self.logit, self.temperature).probability


def judge(model: Path, images: Iterable[tuple[str, Callable[[], bytes]]]) -> Iterator[Verdict]:
    """Verdicts on images, each a name and a function that reads its file, in their order.

    An image that cannot be read gets its reason. Raises SetupError where `model` is no detector's folder.
    """
    detector = Detector.load(model)
    for name, read in images:
        try:
            pixels = photos.decode_any(read(), MAX_PIXELS)
        except photos.PhotoRejected as rejection:
            yield Verdict(name, None, str(rejection))
        else:
            (found,) = detector.predict([pixels])
            yield Verdict(name, found.logit, None, found.temperature)


def run(model: Path, paths: Sequence[Path]) -> Iterator[Verdict]:
    """Verdicts on files, in their order."""
    return judge(model, ((str(path), partial(photos.read_bytes, path)) for path in paths))
