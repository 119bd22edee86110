"""The baseline that sees no pixel: how far anybody gets by how an image file was saved.

A benchmark whose reals are JPEG and whose fakes are PNG is solved by the format. So this baseline is fitted on the very
benchmark that it judges, out of fold: what a detector could learn there without looking. Aligned pairs would teach it
nothing, that being what alignment is for. Its facts are those of the file as a protocol hands it over: of the stored
file where nothing is done to it, those that the protocol writes where it saves the image, and none where it ends with
bare pixels. Width, height and bytes are left out, since they outlast saving and would hide what a protocol takes away;
a row may name width and height all the same.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from dda.core import changes, probes
from dda.core.jpeg import JpegFacts, ijg_facts
from dda.core.kinds import SIZE_FACTS
from dda.core.labels import FAKE, REAL
from dda.core.protocols import Protocol
from dda.io import devices, examination, images, photos, shards
from dda.io.inference import KEPT_ROWS, Counts, Question
from dda.io.layouts import LabelledImage
from dda.io.predictions import Parts, Row
from dda.io.threads import ahead

ONE_CLASS = "one class only: this baseline is fitted on the benchmark itself, and needs reals and fakes"
AHEAD = 4
Facts = dict[str, Any]


@dataclass(frozen=True)
class Metadata:
    """Which facts of files the baseline sees."""

    description: Mapping[str, Any]

    @property
    def facts(self) -> list[str]:
        """Their names, as core.kinds lists them."""
        return list(self.description["row"]["facts"])

    @property
    def digest(self) -> str:
        """Stands for all that decides its logits, but for the benchmark."""
        return shards.fingerprint("metadata", self.facts, shards.code_digest(probes.encoded, probes.out_of_fold))


def load(folder: Path, description: Mapping[str, Any], precision: str) -> Metadata:
    """The baseline of a description."""
    del folder, precision
    return Metadata(description)


@dataclass
class Seen:
    """One image: what its rows share, and for each protocol the facts of its file, or why there are none."""

    image: LabelledImage
    shared: Row
    facts: list[Facts | str] = field(default_factory=list)


def run(
    judge: Metadata,
    question: Question,
    labelled: Iterable[LabelledImage],
    parts: Parts,
    advance: Callable[[int], None],
) -> Counts:
    """Write the table of all images, with the columns of `io.inference.run`. `advance` hears of rows.

    Always made anew: a logit hangs on every other image of the benchmark.
    """
    seen = []
    with ThreadPoolExecutor(devices.cores()) as pool:
        for one in ahead(pool, lambda image: _seen(judge, question, image), labelled, AHEAD * devices.cores()):
            seen.append(one)
            advance(len(one.facts))
    rows, counts = _rows(judge, question, seen), Counts()
    while some := list(islice(rows, KEPT_ROWS)):
        failed = sum(row["error"] is not None for row in some)
        counts += Counts(len(some) - failed, 0, failed)
        parts.add(some)
    parts.finish()
    return counts


def _seen(judge: Metadata, question: Question, image: LabelledImage) -> Seen:
    """Read an image's file, and decode it too, so that the same images fail as with any detector."""
    shared: Row = {name: getattr(image, name) for name in ("image_id", "cluster", "generator", "source", "label")}
    shared |= {"views": question.views, "sha256": None}
    try:
        content = image.read()
        shared["sha256"] = photos.sha256(content)
        found = examination.examine(content, question.max_pixels)
    except (photos.PhotoRejected, ValueError) as rejection:
        return Seen(image, shared, [str(rejection)] * len(question.protocols))
    height, width = found.luminance.shape
    stored = _told(found.format, found.mode, found.jpeg) | {"width": width, "height": height}
    shared |= {"width": width, "height": height}
    facts = [
        _facts(judge, question, protocol, (stored, image.label, shared["sha256"])) for protocol in question.protocols
    ]
    return Seen(image, shared, facts)


def _told(image_format: str | None, mode: str | None, jpeg: JpegFacts | None) -> Facts:
    """Facts of a file by their names; MPO, which phones write, is JPEG with further pictures after it."""
    return {
        "format": "JPEG" if jpeg else image_format,
        "mode": mode,
        "jpeg_quality": jpeg.quality if jpeg else None,
        "jpeg_tables": jpeg.tables_digest if jpeg else None,
        "subsampling": jpeg.subsampling if jpeg else None,
        "progressive": jpeg.progressive if jpeg else None,
    }


def _facts(judge: Metadata, question: Question, protocol: Protocol, file: tuple[Facts, int, str]) -> Facts | str:
    """The facts of one image under one protocol, or why it has none; `file` is its facts, label and sha256."""
    stored, label, sha256 = file
    steps = protocol.steps_for(label)
    told = stored
    if steps:
        kind, quality = changes.saved_as(steps, sha256, question.seed) or (None, 0)
        told = _told(kind, kind and "RGB", ijg_facts(quality, greyscale=False) if kind == "JPEG" else None)
        if set(SIZE_FACTS) & set(judge.facts):
            blank = np.zeros((stored["height"], stored["width"], 3), np.uint8)
            try:
                height, width, _ = changes.apply(steps, blank, sha256, question.seed).shape
            except (ValueError, OSError) as error:
                return f"{protocol.name}: {error}"
            told |= {"width": width, "height": height}
    return {name: told[name] for name in judge.facts}


def _rows(judge: Metadata, question: Question, seen: Sequence[Seen]) -> Iterator[Row]:
    """The rows of all images in their order, each with its logit or its reason."""
    lines = ((one.image.image_id, one.image.label, one.image.generator, str(one.shared["sha256"])) for one in seen)
    decisive = (judge.digest, question.seed, images.digest_of_set(lines), shards.code_digest(changes))
    answers = [_answers(seen, number, question.seed) for number in range(len(question.protocols))]
    inferences = [shards.fingerprint(decisive, protocol.steps, protocol.only_fakes) for protocol in question.protocols]
    for place, one in enumerate(seen):
        for number, protocol in enumerate(question.protocols):
            answer = answers[number][place]
            told: Row = {"error": answer} if isinstance(answer, str) else {"error": None, "logit": answer}
            yield {**one.shared, "protocol": protocol.name, "inference": inferences[number], **told}


def _answers(seen: Sequence[Seen], number: int, seed: int) -> list[float | str]:
    """For each image, its logit under one protocol, fitted on the other folds, or why there is none."""
    told = [one.facts[number] for one in seen]
    answers: list[float | str] = [one if isinstance(one, str) else "" for one in told]
    usable = [place for place, one in enumerate(told) if not isinstance(one, str)]
    logits = _logits([seen[place] for place in usable], number, seed)
    for order, place in enumerate(usable):
        answers[place] = logits if isinstance(logits, str) else logits[order]
    return answers


def _logits(seen: Sequence[Seen], number: int, seed: int) -> list[float] | str:
    labels = np.array([one.image.label for one in seen])
    if not {REAL, FAKE} <= set(labels.tolist()):
        return ONE_CLASS
    facts: list[Any] = [one.facts[number] for one in seen]
    clusters = [one.image.cluster for one in seen]
    try:  # balanced, so that facts that say nothing give the logit 0 in every fold, and not its share of fakes
        logits = probes.out_of_fold(probes.encoded(facts), labels, clusters, seed, "balanced")
    except ValueError as error:
        return f"cannot be fitted out of fold: {str(error).splitlines()[0]}"
    return [float(logit) for logit in np.round(logits, 6)]
