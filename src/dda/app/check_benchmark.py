"""A benchmark -> whether it is what its authors ship: counts, checksums, a digest.    dda benchmarks check genimage"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dda import catalog
from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL
from dda.io import layouts
from dda.io.images import LabelledImage, digest_of_set, hexdigest, is_image, text
from dda.io.photos import PhotoRejected
from dda.io.progress import tracked

MAX_SHOWN = 20


@dataclass
class Found:
    """What was seen on the way through a benchmark."""

    counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    verified: int = 0
    lines: list[tuple[str, int, str, str]] = field(default_factory=list)


def run(folder: Path, name: str) -> bool:
    """Read every image of the benchmark `folder/name`, print what is wrong, and give back whether nothing is."""
    row = catalog.get("benchmarks", name)
    place = folder / name
    if not place.is_dir():
        raise SetupError(f"no benchmark folder at {place}. {row['get']} It is from: {row['source']}")
    images = list(layouts.labelled(row, place))
    found = examined(images, checksums(row, place), name)
    found.wrong = differences(row["expected"], found.counts) + found.wrong
    print("\n".join(told(name, row, found)))
    return not found.wrong


def examined(images: list[LabelledImage], listed: dict[str, str], name: str) -> Found:
    """Every image read: counted where it is there, and its bytes compared with the benchmark's own md5 list."""
    found, used = Found(), set()
    for image in tracked(images, f"check {name}"):
        key = next((key for key in _endings(image.image_id) if key in listed), None)
        used.add(key)
        wrong = _examine(image, listed.get(key or ""), found)
        found.wrong += [f"{image.image_id}: {wrong}"] if wrong else []
    if missing := sorted(set(listed) - used):
        found.wrong.append(f"{len(missing):,} files of the md5 list are not there: {', '.join(missing[:3])}")
    return found


def _examine(image: LabelledImage, listed_md5: str | None, found: Found) -> str | None:
    """Count one image; what is wrong with it."""
    facts, key = (image.image_id, image.label, image.generator), (image.label, image.generator)
    found.counts[key] += image.path.exists()
    try:
        content = image.read()
    except PhotoRejected as rejection:
        found.lines.append((*facts, f"unreadable: {rejection}"))
        return str(rejection)
    found.lines.append((*facts, hexdigest(content, "sha256")))
    found.verified += bool(image.digest or listed_md5)
    if listed_md5 and (md5 := hexdigest(content, "md5")) != listed_md5:
        return f"its md5 is {md5}, and the benchmark says {listed_md5}"
    return None


def checksums(row: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """The md5 of files by their paths, from the list that the benchmark ships, where the row names one and it is there.

    Raises SetupError where a line is not `md5  path`.
    """
    paths = sorted(folder.rglob(row["checksums"])) if "checksums" in row else []
    found: dict[str, str] = {}
    for path in paths[:1]:
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
            md5, _, name = line.strip().partition(" ")
            name = name.strip().removeprefix("*").removeprefix("./")
            if line.strip() and (len(md5) != 32 or not name):
                raise SetupError(f"line {number} of {path} is {line!a:.80}; expected an md5 and a path")
            if name and is_image(name):
                found[text(name)] = md5.lower()
    return found


def _endings(image_id: str) -> Iterator[str]:
    """A path and its endings, but for the mere name, which files of several generators share."""
    parts = image_id.split("/")
    return ("/".join(parts[start:]) for start in range(max(1, len(parts) - 1)))


def differences(expected: Mapping[str, Any], counts: Counter[tuple[int, str]]) -> list[str]:
    """Where counts are not those that the row expects, in words; what nobody has verified is not compared."""
    by_label = {"real": _total(counts, REAL), "fake": _total(counts, FAKE), "images": counts.total()}
    wanted = [(what, expected.get(what), n) for what, n in by_label.items()]
    generators = expected.get("generators") or {}
    wanted += [(f"fakes of {name}", n, counts[FAKE, name]) for name, n in generators.items()]
    strange = sorted({name for label, name in counts if label == FAKE and generators} - set(generators))
    wrong = [f"{what}: {n:,} of {n_wanted:,}" for what, n_wanted, n in wanted if n_wanted is not None and n != n_wanted]
    return wrong + [f"fakes of {name}: {counts[FAKE, name]:,}, and the row knows no such generator" for name in strange]


def _total(counts: Counter[tuple[int, str]], label: int) -> int:
    return sum(n for (side, _), n in counts.items() if side == label)


def told(name: str, row: Mapping[str, Any], found: Found) -> Iterator[str]:
    """The lines that are printed."""
    n_real, n_fake = _total(found.counts, REAL), _total(found.counts, FAKE)
    yield f"{name}: {row['title']}, version {row['version']}"
    yield f"{n_real + n_fake:,} images = {n_real:,} real + {n_fake:,} fake"
    for generator in sorted({generator for _, generator in found.counts}):
        yield f"  {generator}: {found.counts[REAL, generator]:,} real, {found.counts[FAKE, generator]:,} fake"
    yield f"verified by the benchmark's own checksums: {found.verified:,} images"
    yield from (f"known: {line}" for line in row["known_bad"])
    if row["overlaps"]:
        yield f"holds images of: {', '.join(row['overlaps'])}"
    yield f"digest: {digest_of_set(found.lines)}"
    yield from (f"wrong: {line}" for line in found.wrong[:MAX_SHOWN])
    if len(found.wrong) > MAX_SHOWN:
        yield f"wrong: and {len(found.wrong) - MAX_SHOWN:,} more"
    yield "nothing is wrong" if not found.wrong else f"{len(found.wrong):,} things are wrong"
