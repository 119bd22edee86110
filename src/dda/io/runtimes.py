"""By what a detector's windows get their logits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dda.io.detectors import NetworkJudge


class Runtime(Protocol):
    """Whatever gives windows their logits, and what is known of the detector that it is."""

    @property
    def description(self) -> Any:
        """What stands in detector.json."""

    def scores(self, windows: Sequence[NDArray[np.uint8]]) -> list[float]:
        """One logit for each window (size, size, 3), RGB uint8: above 0 is "generated"."""


def load(folder: Path, device: str | None, precision: str) -> Runtime:
    """The detector of a folder, on a device by torch's name for it, the best one where none is named."""
    return NetworkJudge.load(folder, device, precision)
