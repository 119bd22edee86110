"""How often an earlier JPEG compression is found, and where there was none.    python bench/recompression.py FOLDER...

Files of a folder are JPEG already, so that each is made small first (to 0.45 to 0.7 of its sides, by Lanczos): no block
of the old grid outlasts that. Those are stored once, as they are and after what people do to photos, for false alarms;
and twice, at the same place or cut in between, for hits. Images whose digest is even choose the limit, the others are
reported, so that no image is on both sides. PNGs of the folders are taken as they are, and reported apart.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageOps

from dda.core.grids import grid_and_earlier
from dda.core.jpeg import jpeg_facts
from dda.core.recompression import FOUND, recompression
from dda.io import photos

FIRST, LAST = (50, 60, 70, 75, 80, 85, 90, 95), (60, 70, 75, 80, 85, 90, 92, 95, 98)
CELLS = 12  # pairs of qualities that each image is stored in
ONCE = 3  # last qualities in which each image is stored once, per treatment
RATE = 0.01  # of false alarms of each treatment on the first half
TREATMENTS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda image: image,
    "enlarged 1.6 times": lambda image: image.resize(
        (image.width * 8 // 5, image.height * 8 // 5), Image.Resampling.BICUBIC
    ),
    "contrast stretched": lambda image: image.point(
        [min(255, max(0, round(1.4 * (v - 128) + 128))) for v in range(256)] * 3
    ),
    "levels equalised": ImageOps.equalize,
    "64 colours": lambda image: image.quantize(64, dither=Image.Dither.NONE).convert("RGB"),
    "greyscale": lambda image: image.convert("L"),
    "4:4:4": lambda image: image,
}
Found = tuple[float, int, bool]


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--n", type=int, default=10_000, help="images at most")
    options = parser.parse_args()
    files = [file for folder in options.folders for file in photos.find(folder)]
    files = [file for file in files if file.suffix.lower() in (".jpg", ".jpeg", ".png")]
    files = sorted(files, key=lambda file: photos.sha256(file.name.encode()))  # any order, but the same each time
    once: dict[tuple[bool, str], list[Found]] = defaultdict(list)
    twice: dict[tuple[bool, str, int, int], list[Found]] = defaultdict(list)
    for file in files[: options.n]:
        content = file.read_bytes()
        chosen = int(photos.sha256(content), 16) % 2 == 0
        chance = Random(photos.sha256(content))  # noqa: S311 - draws, no secrets
        image = photos.open_any(content, 10**8)
        if file.suffix.lower() == ".png":
            once[chosen, "PNG, as it is"] += [asked(stored(image, last)) for last in chance.sample(LAST, ONCE)]
            continue
        for treatment, found in stored_once(smaller(image, chance), chance):
            once[chosen, treatment].append(found)
        for cell, found in stored_twice(smaller(image, chance), chance):
            twice[(chosen, *cell)].append(found)
    tell(once, twice)


def smaller(image: Image.Image, chance: Random) -> Image.Image:
    """So small that nothing is left of an earlier compression."""
    scale = chance.uniform(0.45, 0.7)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def stored(image: Image.Image, quality: int, subsampling: str = "4:2:0") -> bytes:
    """A JPEG of an image."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=subsampling)
    return buffer.getvalue()


def asked(content: bytes) -> Found:
    """Gain, quality, and whether there is a second grid."""
    with Image.open(BytesIO(content)) as image:
        table = jpeg_facts(image).tables[0]
        image.draft("L", image.size)
        luminance = np.asarray(image)
    found = recompression(luminance, table)
    return (found.gain, found.quality, grid_and_earlier(luminance)[1] is not None) if found else (-9.0, 0, False)


def stored_once(image: Image.Image, chance: Random) -> Iterator[tuple[str, Found]]:
    """What is found in an image that was compressed once, after each treatment."""
    for name, treated in TREATMENTS.items():
        for last in chance.sample(LAST, ONCE):
            yield name, asked(stored(treated(image), last, "4:4:4" if name == "4:4:4" else "4:2:0"))


def stored_twice(image: Image.Image, chance: Random) -> Iterator[tuple[tuple[str, int, int], Found]]:
    """What is found in an image that was compressed twice, by whether it was cut in between and both qualities."""
    cells = [(first, last) for first in FIRST for last in LAST if first != last]
    for first, last in chance.sample(cells, CELLS):
        earlier = Image.open(BytesIO(stored(image, first))).convert("RGB")
        yield ("uncut", first, last), asked(stored(earlier, last))
        if chance.random() < 1 / 3:
            cut = earlier.crop((chance.randint(1, 7), chance.randint(1, 7), *earlier.size))
            yield ("cut", first, last), asked(stored(cut, last))


def tell(once: dict[tuple[bool, str], list[Found]], twice: dict[tuple[bool, str, int, int], list[Found]]) -> None:
    """The limit by the first half, and the rates of the second at it."""
    limit = limit_of(once)
    print(f"limit by the first half: {limit:.3f}; the code's is {FOUND}")
    everyone = [one for (chosen, name), found in once.items() if not chosen and "PNG" not in name for one in found]
    print(f"false alarms, other half, all but PNG: {share([one[0] > limit for one in everyone])}")
    for (chosen, name), found in sorted(once.items()):
        if not chosen:
            second = share([grid for *_, grid in found])
            gain = max(gain for gain, *_ in found)
            print(f"  {name}: {share([one[0] > limit for one in found])}, largest {gain:.3f}; second grid {second}")
    for way in ("uncut", "cut"):
        tell_hits({key[2:]: found for key, found in twice.items() if key[:2] == (False, way)}, way, limit)


def limit_of(once: dict[tuple[bool, str], list[Found]]) -> float:
    """The least limit, in thousandths, that keeps false alarms of every treatment within RATE on the first half."""
    kinds = [sorted(one[0] for one in found) for (chosen, name), found in once.items() if chosen and "PNG" not in name]
    return math.ceil(1000 * max(gains[-1 - int(RATE * len(gains))] for gains in kinds)) / 1000


def tell_hits(twice: dict[tuple[int, int], list[Found]], way: str, limit: float) -> None:
    """How many files are found by both qualities: cut ones by their second grid, others by the histograms."""
    hits = {cell: [one[2] if way == "cut" else one[0] > limit for one in found] for cell, found in twice.items()}
    print(f"hits in percent, {way}: first quality in rows, last in columns {LAST}")
    for first in FIRST:
        print(f"  {first}: " + " ".join(f"{rate(hits.get((first, last), [])):>4}" for last in LAST))
    for name, wanted in (("first coarser", True), ("first finer", False)):
        cells = [cell for cell in twice if (cell[0] < cell[1]) is wanted]
        print(f"  {name}: {share([hit for cell in cells for hit in hits[cell]])}")
        near = [abs(one[1] - cell[0]) <= 2 for cell in cells for one in twice[cell] if one[0] > limit]
        if way == "uncut":
            print(f"    quality within 2 where found: {share(near)}")


def rate(hits: list[bool]) -> str:
    """In percent, without an interval."""
    return f"{100 * sum(hits) / len(hits):.0f}" if hits else "-"


def share(hits: list[bool]) -> str:
    """In percent, with the 95 % interval of Wilson."""
    from scipy.stats import binomtest

    if not hits:
        return "none"
    found = binomtest(sum(hits), len(hits)).proportion_ci(method="wilson")
    counts = f"{sum(hits)}/{len(hits)}"
    return f"{100 * sum(hits) / len(hits):.1f} % ({counts}; {100 * found.low:.1f} to {100 * found.high:.1f})"


if __name__ == "__main__":
    main()
