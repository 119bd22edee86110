"""A detector for people who have images and a question: `from dda import Detector`."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from PIL import Image

from dda.core import verdicts, windows
from dda.core.errors import SetupError, did_you_mean
from dda.core.regions import Region
from dda.core.verdicts import Limits, Prediction, Window
from dda.io import devices, photos, pictures, runtimes, sources
from dda.io.pictures import Pixels
from dda.io.runtimes import Runtime
from dda.io.threads import ahead

if TYPE_CHECKING:
    from dda.io.rewards import Rewards

BATCH_WINDOWS = 32
Views = Literal["centre", "five", "tiles"]


@dataclass(frozen=True)
class Detector:
    """Says of images whether they are real or generated. May be used by any number of threads at once."""

    runtime: Runtime
    description: Mapping[str, Any]
    max_pixels: int = pictures.MAX_PIXELS

    @classmethod
    def load(cls, model: str | Path, device: str | None = None, precision: str = "float32") -> "Detector":
        """A detector's folder, on a device by torch's name for it, the best one where none is named.

        `precision` is `float32`, or `bfloat16`: faster on a GPU, logits good to about two digits. Raises SetupError
        where there is no detector, or one whose weights do not fit its description.
        """
        runtime = runtimes.load(sources.folder_of(model), device, precision)
        return cls(runtime, runtime.description)

    def predict(self, images: Any, views: Views = "centre", max_fpr: float | None = None) -> list[Prediction]:
        """What the detector says of each image, in their order; of a single one, a list of one.

        An image is a path, a file's bytes, one of Pillow, an array or a tensor (`io.pictures.opened` says of which
        shapes), and a tensor (N, 3, H, W) or an array (N, H, W, 3) is N of them. One that cannot be read is answered
        by "unreadable" and the reason. `views` are the windows that are looked at, `core.windows` says which;
        `max_fpr` chooses the threshold that was fitted for this rate of false positives. Raises ValueError for what
        is no image, SetupError for views or a rate that the detector does not know.
        """
        return list(self.stream(_several(images), views, max_fpr))

    def stream(
        self, images: Iterable[Any], views: Views = "centre", max_fpr: float | None = None
    ) -> Iterator[Prediction]:
        """The same one by one, for any number of images: threads decode ahead, and only some are in memory."""
        if views not in get_args(Views):
            raise SetupError(f"no views {views!r}. {did_you_mean(views, get_args(Views))}")
        question = _Question(views, verdicts.limits(self.description["calibration"], max_fpr))
        threads = devices.cores()
        ready = math.ceil(BATCH_WINDOWS / windows.VIEWS[views]) + 2 * threads
        waiting: list[_Seen] = []
        n_windows = 0
        with ThreadPoolExecutor(threads) as pool:
            for seen in ahead(pool, partial(self._seen, views=views), images, ready):
                waiting.append(seen)
                n_windows += len(seen.cut)
                if n_windows >= BATCH_WINDOWS:
                    yield from self._answered(waiting, question)
                    waiting, n_windows = [], 0
        yield from self._answered(waiting, question)

    def score(self, images: Any, views: Views = "centre") -> Any:
        """How real each image of a torch tensor looks, as a reward for what generates them (io.rewards).

        `images` are float (N, 3, H, W) in [0, 1], on any device. The tensor (N,) float32 on that device is -logit over
        the temperature: its sigmoid is the probability of "real", so that higher looks more real. It can be
        differentiated to the pixels; the detector's own weights get no gradient.
        """
        return self._rewards.score(images, views)

    @cached_property
    def _rewards(self) -> "Rewards":
        from dda.io.rewards import Rewards

        return Rewards(self.runtime)

    @property
    def input_px(self) -> int:
        """The side of the square windows that the network takes."""
        return int(self.description["preprocessing"]["input_px"])

    def _seen(self, image: Any, views: Views) -> "_Seen":
        """What is to be looked at of an image, or why it cannot be."""
        name = fspath(image) if isinstance(image, str | PathLike) else None
        try:
            with pictures.opening(image, self.max_pixels) as picture:
                width, height = picture.image.size
                regions = windows.regions_of(height, width, self.input_px, views)
                cut = [windows.centred(picture.cut(region), self.input_px) for region in regions]
        except photos.PhotoRejected as rejection:
            return _Seen({"name": name, "error": str(rejection)})
        facts = {"name": name, "format": picture.format, "width": width, "height": height, "notes": picture.notes}
        return _Seen(facts | {"seen": windows.covered(regions)}, regions, cut)

    def _answered(self, waiting: list["_Seen"], question: "_Question") -> Iterator[Prediction]:
        cut = [window for seen in waiting for window in seen.cut]
        batches = (cut[first : first + BATCH_WINDOWS] for first in range(0, len(cut), BATCH_WINDOWS))
        logits = iter([logit for batch in batches for logit in self.runtime.scores(batch)])
        for seen in waiting:
            yield self._prediction(seen.facts, [Window(region, next(logits)) for region in seen.regions], question)

    def _prediction(self, facts: Mapping[str, Any], found: list[Window], question: "_Question") -> Prediction:
        temperature = self.description["calibration"]["temperature"]
        told = {"limits": question.limits, "calibrated": temperature is not None, "views": question.views, **facts}
        told["temperature"] = temperature
        logit = math.fsum(window.logit for window in found) / max(1, len(found))
        if not math.isfinite(logit):
            told["error"] = f"the detector's logit is {logit}"
        if told.get("error"):
            return Prediction("unreadable", None, None, **told)
        chance = verdicts.probability(logit, temperature)
        return Prediction(question.limits.verdict(logit), chance, logit, windows=tuple(found), **told)


@dataclass(frozen=True)
class _Question:
    views: Views
    limits: Limits


@dataclass(frozen=True)
class _Seen:
    """An image's facts by the names of Prediction, and the windows that are to be judged; none of an unreadable one."""

    facts: Mapping[str, Any]
    regions: Sequence[Region] = ()
    cut: Sequence[Pixels] = ()


def _several(images: Any) -> Iterable[Any]:
    """One image as a list of it; several, also stacked in a tensor or an array, as they are."""
    if isinstance(images, str | PathLike | bytes | bytearray | memoryview | Image.Image):
        return [images]
    return [images] if getattr(images, "ndim", 4) < 4 else images
