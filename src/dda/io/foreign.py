"""Code and models of others, asked for scores: whatever fails on one image costs that image, and no other."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core import kinds
from dda.core.errors import SetupError
from dda.core.windows import windows_of
from dda.io.detectors import sha256_of

Pixels = NDArray[np.uint8]
Ask = Callable[[Sequence[Pixels]], Any]
FAILED = "the detector failed: "
MAX_TOLD = 200


def answers(ask: Ask, windows: Sequence[Pixels], output: str) -> list[float | str]:
    """For each window its logit, or why there is none, in words that begin with FAILED.

    Where a batch fails, its windows are asked one by one. `output` says what the scores are: core.kinds.logit. Raises
    SetupError where there are not as many scores as windows.
    """
    try:
        scores = numbers(ask(windows), len(windows))
    except SetupError:
        raise
    except Exception as error:  # one sample: code of others raises anything
        if len(windows) > 1:
            return [answer for window in windows for answer in answers(ask, [window], output)]
        return [f"{FAILED}{told(error)}"]
    return [_answer(score, output) for score in scores]


def _answer(score: float, output: str) -> float | str:
    try:
        return kinds.logit(score, output)
    except ValueError as error:
        return f"{FAILED}{error}"


def numbers(scores: Any, n: int) -> list[float]:
    """Scores as so many floats: of a list, an array or a tensor (N,) or (N, 1), or a table with one column or `score`.

    Raises SetupError for another number of them, and what numpy raises for what are no numbers.
    """
    if hasattr(scores, "columns"):
        scores = scores["score"] if "score" in scores.columns else scores.to_numpy()
    values = np.asarray(scores.tolist() if hasattr(scores, "tolist") else list(scores), dtype=float)
    if values.shape not in ((n,), (n, 1)):
        raise SetupError(f"the detector gave scores of shape {values.shape} for {n} images, it must be ({n},)")
    return [float(score) for score in values.ravel()]


def told(error: Exception) -> str:
    """The first line of what an error says, and its kind."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}"[:MAX_TOLD] if lines else type(error).__name__


def windows(pixels: Pixels, views: str, input_px: int | None) -> list[Pixels]:
    """What a detector sees of an image: windows of its size; one without a size the whole, whatever `views` says."""
    return [pixels] if input_px is None else windows_of(pixels, input_px, views)


def check_files(folder: Path, files: Mapping[str, str]) -> None:
    """Raise SetupError where a file of a folder is not the one of which its description has the sha256."""
    for name, digest in files.items():
        if not (folder / name).is_file() or sha256_of(folder / name) != digest:
            raise SetupError(f"{folder / name} is not the file that was put there: put the detector in place again")
