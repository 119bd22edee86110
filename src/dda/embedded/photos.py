"""The embedded photographs: colour photos inside the wheels of our dependencies, cut into JPEG tiles like COCO's."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from PIL import Image

JPEG_QUALITY_SHARES = {96: 0.70, 90: 0.29, 80: 0.01}
"""COCO train2017's estimated IJG qualities and how often each occurs."""
SUBSAMPLING = "4:2:0"


@dataclass(frozen=True)
class Photograph:
    """One scene, where it lies inside an installed package, and how many tiles it is cut into."""

    name: str
    package: str
    files: tuple[str, ...]
    columns: int
    rows: int
    origin: str


def _skimage(name: str, file: str, columns: int, rows: int, origin: str) -> Photograph:
    return Photograph(name, "skimage", (f"data/{file}",), columns, rows, origin)


PHOTOGRAPHS = (
    _skimage("astronaut", "astronaut.png", 3, 3, "NASA, public domain"),
    _skimage("chelsea", "chelsea.png", 2, 2, "Stefan van der Walt, CC0"),
    _skimage("coffee", "coffee.png", 3, 2, "Rachel Michetti, CC0"),
    _skimage("hubble", "hubble_deep_field.jpg", 4, 4, "NASA and HubbleSite, public domain"),
    _skimage("retina", "retina.jpg", 4, 4, "Mikael Haggstrom, CC0"),
    _skimage("rocket", "rocket.jpg", 3, 2, "SpaceX, public domain"),
    _skimage("tissue", "ihc.png", 3, 3, "scikit-image, no known restrictions"),
    Photograph(
        "motorcycle",
        "skimage",
        ("data/motorcycle_left.png", "data/motorcycle_right.png"),
        3,
        3,
        "Middlebury stereo 2014, as distributed by scikit-image",
    ),
    Photograph(
        "china",
        "sklearn",
        ("datasets/images/china.jpg",),
        3,
        2,
        "danielbuechele, CC BY 2.0",
    ),
    Photograph(
        "flower",
        "sklearn",
        ("datasets/images/flower.jpg",),
        3,
        2,
        "vultilion, CC BY 2.0",
    ),
    Photograph(
        "portrait",
        "matplotlib",
        ("mpl-data/sample_data/grace_hopper.jpg",),
        3,
        3,
        "Grace Hopper, US Navy, public domain",
    ),
)


def originals(photograph: Photograph) -> list[Image.Image]:
    """The scene's pictures at full size, RGB. Raises FileNotFoundError where a package no longer carries one."""
    spec = find_spec(photograph.package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"package {photograph.package!r} is not installed: run `make setup`")
    folder = Path(spec.submodule_search_locations[0])
    return [Image.open(folder / file).convert("RGB") for file in photograph.files]


def tile_boxes(width: int, height: int, columns: int, rows: int) -> list[tuple[int, int, int, int]]:
    """Boxes (left, upper, right, lower) in pixels that cover the picture without overlap, row by row."""
    xs = [width * i // columns for i in range(columns + 1)]
    ys = [height * i // rows for i in range(rows + 1)]
    return [(xs[c], ys[r], xs[c + 1], ys[r + 1]) for r in range(rows) for c in range(columns)]


def _tiles(photograph: Photograph) -> Iterator[Image.Image]:
    for picture in originals(photograph):
        for box in tile_boxes(*picture.size, photograph.columns, photograph.rows):
            yield picture.crop(box)


def assign_qualities(names: list[str]) -> dict[str, int]:
    """One JPEG quality per name, in exactly COCO's shares (rounded), by the order of the names' hashes."""
    ordered = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    qualities, start, share_so_far = {}, 0, 0.0
    for quality, share in JPEG_QUALITY_SHARES.items():
        share_so_far += share
        end = round(share_so_far * len(ordered))
        qualities.update(dict.fromkeys(ordered[start:end], quality))
        start = end
    return qualities


def tiles() -> Iterator[tuple[str, bytes]]:
    """(relative path, JPEG bytes) of every tile; the same bytes on every run with the same Pillow."""
    pictures = {
        f"{photograph.name}-tile{number:02d}": picture
        for photograph in PHOTOGRAPHS
        for number, picture in enumerate(_tiles(photograph))
    }
    qualities = assign_qualities(list(pictures))
    for name, picture in pictures.items():
        buffer = BytesIO()
        picture.save(buffer, "JPEG", quality=qualities[name], subsampling=SUBSAMPLING)
        yield f"{name}.jpg", buffer.getvalue()
