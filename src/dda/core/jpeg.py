"""JPEG as compression: which tables and subsampling a file has, and encoding pixels with exactly those."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

Tables = tuple[tuple[int, ...], ...]
"""Quantisation tables, each 64 divisors in natural (row by row) order; the first is the luminance's."""

SUBSAMPLINGS = {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}
GREYSCALE = "4:0:0"


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
        """The IJG quality (1-100) whose luminance table is nearest; exact where the tables are IJG's own."""
        ours = np.array(self.tables[0])
        return min(
            range(100, 0, -1),
            key=lambda quality: int(np.abs(ours - ijg_luminance(quality)).sum()),
        )


@cache
def ijg_luminance(quality: int) -> NDArray[np.int64]:
    """The luminance table (64 divisors) that libjpeg writes for an IJG quality of 1-100."""
    buffer = BytesIO()
    Image.new("L", (8, 8)).save(buffer, "JPEG", quality=quality)
    return np.array(jpeg_facts(Image.open(buffer)).tables[0])


def jpeg_facts(image: Image.Image) -> JpegFacts:
    """The facts of an image that Pillow opened from a JPEG file (its pixels need not be loaded)."""
    opened: Any = image
    tables = tuple(tuple(opened.quantization[number]) for number in sorted(opened.quantization))
    return JpegFacts(tables, _subsampling(opened), bool(image.info.get("progressive")))


def _subsampling(opened: Any) -> str:
    """4:4:4, 4:2:2, 4:2:0, 4:0:0 for greyscale, or the sampling factors of any other kind, such as 1x2,1x1,1x1."""
    if opened.layers == 1:
        return GREYSCALE
    known = SUBSAMPLINGS.get(JpegImagePlugin.get_sampling(opened))
    return known or ",".join(f"{horizontal}x{vertical}" for _, horizontal, vertical, _ in opened.layer)


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
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()
