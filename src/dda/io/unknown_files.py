"""What a file is that no image can be read from, in words for whoever named it; and formats that a wheel may add."""

import re
from functools import cache

HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
NEEDS_HEIF = "HEIC, which needs one more package: pip install 'dda[heic]'"
VIDEO = "a film, and no single image"
STARTS = (
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000, which is not read: save it as PNG"),
    (b"\xff\x4f\xff\x51", "JPEG 2000, which is not read: save it as PNG"),
    (b"\xff\x0a", "JPEG XL, which is not read: save it as PNG"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL, which is not read: save it as PNG"),
    (b"8BPS", "a Photoshop document, which is not read: save it as PNG"),
    (b"%PDF", "a PDF document, and no image"),
    (b"PK\x03\x04", "a zip archive, and no image: unpack it"),
    (b"\x1f\x8b", "a gzip archive, and no image: unpack it"),
    (b"\x1a\x45\xdf\xa3", VIDEO),
)
MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml|<!--|<!doctype|<svg|<html)", re.IGNORECASE)
SVG = "SVG: a drawing in text, which has no pixels to look at"
HTML = "a page of text (HTML or XML), and no image"
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+|[/\\]\w")
MAX_LETTERS = 200


def reason(content: bytes) -> str | None:
    """Why a file of a kind that is known here cannot be judged; None where it may be an image."""
    head = content[:4096]
    if MARKUP.match(head):
        return SVG if b"<svg" in head.lower() else HTML
    if head[4:8] == b"ftyp":
        return _of_brand(head[8:12])
    return next((told for start, told in STARTS if head.startswith(start)), None)


def _of_brand(brand: bytes) -> str | None:
    """Of files of boxes: AVIF and HEIC are images, others are films."""
    if brand in (b"avif", b"avis"):
        return None
    if brand in HEIC_BRANDS:
        return None if heif() else NEEDS_HEIF
    return VIDEO


def formats(content: bytes) -> tuple[str, ...]:
    """Formats, by Pillow's names, that are read besides the usual ones: of a HEIC file HEIF, where a wheel reads it."""
    is_heic = content[4:8] == b"ftyp" and content[8:12] in HEIC_BRANDS
    return ("HEIF",) if is_heic and heif() else ()


@cache
def heif() -> bool:
    """Whether pillow-heif is installed; it is imported when the first such file comes."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener(thumbnails=False)
    return True


def told(words: str) -> str:
    """A decoder's words as one line; only its kind where they name a place of this machine or of its memory."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    kind, _, said = line.partition(": ")
    if said and ADDRESS.search(said):
        line = kind
    return line if len(line) <= MAX_LETTERS else f"{line[:MAX_LETTERS]} ..."
