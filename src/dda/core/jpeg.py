"""JPEG as compression: which tables and subsampling a file has, and encoding pixels with exactly those."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from dda.core import buffers

Tables = tuple[tuple[int, ...], ...]
"""Quantisation tables, each 64 divisors in natural (row by row) order; the first is the luminance's."""

SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
GREYSCALE = "4:0:0"
STORED_RGB = "RGB, no chroma"


@dataclass(frozen=True)
class JpegFacts:
    """How a JPEG file was compressed."""

    tables: Tables
    subsampling: str
    progressive: bool

    @property
    def tables_digest(self) -> str:
        """16 hex digits, equal for equal tables."""
        return hashlib.sha256(json.dumps(self.tables).encode()).hexdigest()[:16]

    @property
    def quality(self) -> int:
        """The IJG quality (1-100) of the tables, or the nearest one where they are not IJG's: see `nearest_quality`."""
        return nearest_quality(self.tables, self._roles)[0]

    @property
    def quality_exact(self) -> bool:
        """Whether every table is the one that libjpeg writes for `quality` and this kind of colour."""
        return nearest_quality(self.tables, self._roles)[1]

    @property
    def _roles(self) -> tuple[int, ...]:
        """Which IJG table libjpeg gives to each: 0 the luminance's, 1 the chrominance's, which RGB and CMYK lack."""
        inks = len(self.tables) == 4 and self.tables[0] == self.tables[1]
        return (0,) * len(self.tables) if inks or self.subsampling == STORED_RGB else (0, 1, 1, 0)[: len(self.tables)]


@lru_cache(maxsize=1024)
def nearest_quality(tables: Tables, roles: tuple[int, ...]) -> tuple[int, bool]:
    """The IJG quality (1-100) nearest to tables of these roles (0 luminance, 1 chrominance), and whether it is exact.

    Nearest is the least mean of |log(divisor / IJG's divisor)| over all tables; of equally near ones the highest.
    A quality multiplies both IJG tables by one factor, so ratios weigh every frequency alike; differences would leave
    the choice to the few large divisors of the finest patterns.
    """
    ours = np.maximum(tables, 1)  # a damaged file may hold 0
    known = np.array([ijg_tables(quality) for quality in range(100, 0, -1)])[:, list(roles)]
    best = int(np.abs(np.log(ours / known)).mean(axis=(1, 2)).argmin())
    return 100 - best, bool((known[best] == tables).all())


@cache
def ijg_tables(quality: int) -> NDArray[np.int64]:
    """The luminance and chrominance tables (2, 64) that libjpeg writes for an IJG quality of 1-100, at most 255."""
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", quality=quality)
    return np.array(jpeg_facts(Image.open(buffer)).tables)


@cache
def ijg_facts(quality: int, greyscale: bool) -> JpegFacts:
    """The compression that Pillow and libjpeg choose for an IJG quality of 1-100: standard tables, 4:2:0, baseline."""
    buffer = BytesIO()
    Image.new("L" if greyscale else "RGB", (8, 8)).save(buffer, "JPEG", quality=quality)
    return jpeg_facts(Image.open(buffer))


def jpeg_facts(image: Image.Image) -> JpegFacts:
    """The facts of an image that Pillow opened from a JPEG file (its pixels need not be loaded).

    Tables are those that the components use, in their order; one that both chroma components use is named once.
    """
    opened: Any = image
    tables = [tuple(opened.quantization[number]) for *_, number in opened.layer]
    if len(tables) == 3 and tables[1] == tables[2]:
        tables.pop()
    return JpegFacts(tuple(tables), _subsampling(opened), bool(image.info.get("progressive")))


def _subsampling(opened: Any) -> str:
    """4:4:4, 4:2:2, 4:2:0, 4:0:0 for greyscale; in words or factors (1x2,1x1,1x1) whatever else there is."""
    if opened.layers == 1:
        return GREYSCALE
    if opened.mode == "RGB" and _stores_rgb(opened):
        return STORED_RGB
    known = SUBSAMPLINGS.get(JpegImagePlugin.get_sampling(opened))
    return known or ",".join(f"{horizontal}x{vertical}" for _, horizontal, vertical, _ in opened.layer)


def _stores_rgb(opened: Any) -> bool:
    """Whether a colour JPEG holds red, green and blue instead of luma and chroma."""
    ids = bytes(component[0] for component in opened.layer)
    return opened.info.get("adobe_transform") == 0 or ids == b"RGB"


def writable(facts: JpegFacts) -> bool:
    """Whether a fake can be given this compression: Pillow writes three subsamplings and greyscale."""
    return facts.subsampling in (*SUBSAMPLINGS.values(), GREYSCALE)


def encode_jpeg(pixels: NDArray[np.uint8], facts: JpegFacts) -> bytes:
    """JPEG bytes of uint8 pixels (H, W, 3) or (H, W), with the tables, subsampling and scan order of `facts`."""
    options: dict[str, Any] = {
        "qtables": [list(table) for table in facts.tables],
        "progressive": facts.progressive,
    }
    if facts.subsampling != GREYSCALE:
        options["subsampling"] = facts.subsampling
    picture = Image.fromarray(pixels)
    try:
        return _saved(picture, options)
    except OSError:  # a progressive file is written in one piece, and noise does not fit into Pillow's buffer for it
        with buffers.enlarged(3 * pixels.size):
            return _saved(picture, options)


def _saved(picture: Image.Image, options: dict[str, Any]) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()
