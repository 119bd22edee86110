"""A judge sees a benchmark's images: each file is read once, decoded ahead by threads, and asked only what is new."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from dda.core import changes, windows
from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL
from dda.core.protocols import Protocol, Step
from dda.io import devices, photos, shards
from dda.io.foreign import FAILED
from dda.io.layouts import LabelledImage
from dda.io.predictions import Known, Parts, Row
from dda.io.threads import ahead

Pixels = NDArray[np.uint8]
Steps = tuple[Step, ...]
HELD_VIEWS = 64
"""Views of one image at once in memory: an image whose protocols take more is decoded again for the next ones."""
KEPT_S, KEPT_ROWS = 30.0, 50_000
"""A part of the table is written so often."""
HOPELESS = 8
"""A detector that fails on so many images, and never gave a logit, is stopped."""


class Judge(Interface):
    """Whatever gives an image a score."""

    @property
    def digest(self) -> str:
        """Stands for all that decides its scores."""

    def windows(self, pixels: Pixels, views: str) -> list[Pixels]:
        """What `scores` wants to see of an image, RGB uint8 (H, W, 3)."""

    def scores(self, windows: Sequence[Pixels]) -> Sequence[float | str]:
        """A logit for each, above 0 for "fake", or why there is none, in words that begin with foreign.FAILED."""


@dataclass(frozen=True)
class Question:
    """What a judge is asked about every image, and how many windows it sees at once."""

    protocols: tuple[Protocol, ...]
    views: str
    seed: int
    max_pixels: int
    batch: int

    def inferences(self, judge: Judge) -> dict[Steps, str]:
        """By what is done to an image, what stands for all but the image that decides its logit."""
        every = {protocol.steps_for(label) for protocol in self.protocols for label in (REAL, FAKE)}
        looked = (judge.digest, self.views, shards.code_digest(windows))
        changed = (self.seed, shards.code_digest(changes))
        return {steps: shards.fingerprint(looked, steps, changed if steps else None) for steps in every}


@dataclass(frozen=True)
class Counts:
    """How many rows a table has: with a logit, how many of those were known before, and with a reason instead."""

    judged: int = 0
    known: int = 0
    failed: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.judged + other.judged, self.known + other.known, self.failed + other.failed)

    def told(self, name: str, n_images: int, n_protocols: int) -> str:
        """What became of the images, in a sentence whose counts add up."""
        under = "" if n_protocols == 1 else f" under {n_protocols} protocols"
        kept = f" ({self.known} of them before)" if self.known else ""
        return f"{name}: {n_images} images{under} = {self.judged} judged{kept} + {self.failed} not judged"


def run(
    judge: Judge,
    question: Question,
    images: Iterable[LabelledImage],
    parts: Parts,
    advance: Callable[[int], None],
) -> Counts:
    """Write the table of all images. `advance` hears of rows.

    An image on which the judge fails keeps its rows, with the reason. Raises SetupError where it fails on all.
    """
    session = Session(judge, question, parts.known(question.inferences(judge).values()))
    rows: list[Row] = []
    counts, last = Counts(), time.monotonic()
    for new in session.hopeful(session.rows(images, devices.cores())):
        rows += new
        advance(len(new))
        counts += session.counts(new)
        if len(rows) >= KEPT_ROWS or time.monotonic() - last >= KEPT_S:
            parts.add(rows)
            rows, last = [], time.monotonic()
    parts.add(rows)
    parts.finish()
    return counts


@dataclass
class Asked:
    """One image under some protocols: its rows, and what is to be seen for them by inference."""

    rows: list[Row]
    views: dict[str, list[Pixels]] = field(default_factory=dict)

    @property
    def n_views(self) -> int:
        """How many windows are to be seen."""
        return sum(map(len, self.views.values()))


@dataclass(frozen=True)
class Session:
    """A judge, what it is asked, and what it has said before."""

    judge: Judge
    question: Question
    known: Known

    @cached_property
    def _inferences(self) -> dict[Steps, str]:
        return self.question.inferences(self.judge)

    def rows(self, images: Iterable[LabelledImage], threads: int) -> Iterator[list[Row]]:
        """The rows of the images, in their order, some images at a time."""
        chosen, at_most = self.question.protocols, windows.VIEWS[self.question.views]
        size = min(len(chosen), max(1, HELD_VIEWS // at_most))
        groups = [chosen[first : first + size] for first in range(0, len(chosen), size)]
        tasks = ((image, group) for image in images for group in groups)
        ready = math.ceil(self.question.batch / (size * at_most)) + 2 * threads
        waiting: list[Asked] = []
        n_views = 0
        with ThreadPoolExecutor(threads) as pool:
            for asked in ahead(pool, self._asked, tasks, ready):
                waiting.append(asked)
                n_views += asked.n_views
                if n_views >= self.question.batch or len(waiting) >= KEPT_ROWS:
                    yield self._answered(waiting)
                    waiting, n_views = [], 0
        yield self._answered(waiting)

    def hopeful(self, groups: Iterable[list[Row]]) -> Iterator[list[Row]]:
        """The same rows. Raises SetupError once it is clear that the judge gives no logit at all."""
        heard, reasons = bool(self.known), list[str]()
        for rows in groups:
            heard = heard or any(row.get("logit") is not None for row in rows)
            reasons += [row["error"] for row in rows if (row["error"] or "").startswith(FAILED)]
            if not heard and len(reasons) >= HOPELESS:
                break
            yield rows
        if not heard and reasons:
            told = f"it gave no logit for any of the first {len(reasons)}"
            raise SetupError(f"{reasons[0]} - {told}: mend the detector, or what its row says of it")

    def counts(self, rows: list[Row]) -> Counts:
        """What became of rows."""
        failed = sum(row["error"] is not None for row in rows)
        known = sum(row["error"] is None and self._before(row) is not None for row in rows)
        return Counts(len(rows) - failed, known, failed)

    def _before(self, row: Row) -> tuple[float, int, int] | None:
        return self.known.get((row.get("sha256", ""), row["inference"]))

    def _asked(self, task: tuple[LabelledImage, tuple[Protocol, ...]]) -> Asked:
        """Read an image, and decode it where anything about it is not known yet. An unreadable one has its reason."""
        image, group = task
        asked = Asked([self._row(image, protocol) for protocol in group])
        try:
            self._look(asked, image, group)
        except (photos.PhotoRejected, ValueError) as rejection:
            for row in asked.rows:
                row["error"] = str(rejection)
        return asked

    def _row(self, image: LabelledImage, protocol: Protocol) -> Row:
        return {
            **{name: getattr(image, name) for name in ("image_id", "cluster", "generator", "source", "label")},
            "protocol": protocol.name,
            "views": self.question.views,
            "error": None,
            "inference": self._inferences[protocol.steps_for(image.label)],
        }

    def _look(self, asked: Asked, image: LabelledImage, group: tuple[Protocol, ...]) -> None:
        """Note what is to be seen. Raises PhotoRejected or ValueError where the image cannot be read."""
        content = image.read()
        digest = photos.sha256(content)
        for row in asked.rows:
            row["sha256"] = digest
        if all(self._before(row) for row in asked.rows):
            return
        pixels = photos.decode_any(content, self.question.max_pixels)
        for row, protocol in zip(asked.rows, group, strict=True):
            row |= {"height": pixels.shape[0], "width": pixels.shape[1]}
            if row["inference"] not in asked.views and self._before(row) is None:
                self._change(asked, row, pixels, protocol.steps_for(image.label))

    def _change(self, asked: Asked, row: Row, pixels: Pixels, steps: Steps) -> None:
        """Note what is to be seen of an image under one protocol."""
        try:
            changed = changes.apply(steps, pixels, row["sha256"], self.question.seed)
        except (ValueError, OSError) as error:  # encoders refuse sizes that their formats cannot hold
            row["error"] = f"{row['protocol']}: {error}"
        else:
            asked.views[row["inference"]] = self.judge.windows(changed, self.question.views)

    def _answered(self, waiting: list[Asked]) -> list[Row]:
        """The rows of these images, each with its logit or its reason."""
        seen = [window for asked in waiting for views in asked.views.values() for window in views]
        size = self.question.batch
        scores = iter([score for n in range(0, len(seen), size) for score in self.judge.scores(seen[n : n + size])])
        for asked in waiting:
            found = {inference: _pooled([next(scores) for _ in views]) for inference, views in asked.views.items()}
            for row in asked.rows:
                if row["error"] is None:
                    self._answer(row, found)
        return [row for asked in waiting for row in asked.rows]

    def _answer(self, row: Row, found: dict[str, float | str]) -> None:
        before: Any = self._before(row)
        if before:
            row["logit"], row["width"], row["height"] = before
        elif isinstance(answer := found[row["inference"]], str):
            row["error"] = answer
        else:
            row["logit"] = answer


def _pooled(scores: Sequence[float | str]) -> float | str:
    """The mean of an image's logits; why there is none, where one of them is a reason, or no finite number."""
    logits = [score for score in scores if not isinstance(score, str)]
    reasons = [score for score in scores if isinstance(score, str)]
    reasons += [f"{FAILED}its score is {logit}" for logit in logits if not math.isfinite(logit)]
    return reasons[0] if reasons else math.fsum(logits) / len(logits)
