"""What `dda detect` finds besides a verdict, where it is asked for: facts of a file, and a heatmap over the image."""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dda.core.verdicts import Prediction
from dda.io import atomic, devices, images, photos, pictures
from dda.io.threads import ahead

Added = tuple[Prediction, dict[str, Any]]


def added(predictions: Iterable[Prediction], explain: bool, heatmap: Path | None) -> Iterator[Added]:
    """Each prediction with what is asked for besides, by the names of a row: `facts`; `tiles` and `heatmap`."""
    if not (explain or heatmap):
        yield from ((prediction, {}) for prediction in predictions)
        return
    names = _Names(heatmap) if heatmap else None
    threads = devices.cores()
    with ThreadPoolExecutor(threads) as pool:
        jobs = ((prediction, explain, names.take(prediction) if names else None) for prediction in predictions)
        yield from ahead(pool, _extended, jobs, 2 * threads)


def _extended(job: tuple[Prediction, bool, Path | None]) -> Added:
    prediction, explain, target = job
    extra: dict[str, Any] = {}
    if explain:
        extra["facts"] = _facts(prediction)
    if target:
        extra |= _overlaid(prediction, target)
    return prediction, extra


def _facts(prediction: Prediction) -> dict[str, Any]:
    """Facts of a file's bytes, also of one that no image could be read from; none of one without bytes."""
    from dda.io import traces

    try:
        return traces.facts(photos.read_bytes(Path(str(prediction.name))))
    except photos.PhotoRejected:
        return {}


def _overlaid(prediction: Prediction, target: Path) -> dict[str, Any]:
    """Write the heatmap; the scores in it, and its path. Nothing of an image that was not judged, or is gone now."""
    from dda.io import overlays

    if prediction.error is not None:
        return {"tiles": [], "heatmap": None}
    try:
        with pictures.opening(prediction.name) as picture:
            content = overlays.overlay(picture, prediction)
    except photos.PhotoRejected:
        return {"tiles": overlays.scores(prediction), "heatmap": None}
    with atomic.whole(target) as temporary:
        temporary.write_bytes(content)
    return {"tiles": overlays.scores(prediction), "heatmap": str(target)}


@dataclass
class _Names:
    """Names of heatmaps: `photo.jpg.png`, and `photo.jpg-2.png` of a second photo.jpg of another folder."""

    folder: Path
    taken: Counter[str] = field(default_factory=Counter)

    def take(self, prediction: Prediction) -> Path:
        """The path of the next one."""
        name = images.text(Path(prediction.name or "image").name)
        self.taken[name] += 1
        number = f"-{self.taken[name]}" if self.taken[name] > 1 else ""
        return self.folder / f"{name}{number}.png"
