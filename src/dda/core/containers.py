"""The parts of an image file by their names, without decoding anything: JPEG segments, PNG chunks, RIFF chunks, boxes.

Files are not to be trusted: each part lies inside the bytes given, their number is bounded, and what is broken ends the
walk. Nothing is raised.
"""

import struct
import zlib
from collections.abc import Iterator
from itertools import islice

MAX_PARTS = 20_000
MAX_STEPS = 300_000  # parts passed over, those of pixels among them
MAX_SEGMENTS = 5_000
MAX_TEXT_BYTES = 1_000_000
MAX_DEPTH = 8
Part = tuple[str, bytes]

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
FILL, START_OF_SCAN, END_OF_IMAGE = 0xFF, 0xDA, 0xD9
PIXELS = {"FF", "IDAT", "fdAT", "VP8 ", "VP8L", "ANMF", "ALPH", "mdat", "idat"}


def parts(content: bytes) -> Iterator[Part]:
    """Names and payloads of the parts before the pixels of a JPEG, and of all parts of a PNG, WebP, AVIF or HEIC.

    Names: `APP1`, `COM`, `DRI`, ... of JPEG; `tEXt`, `caBX`, ... of PNG; `EXIF`, `XMP `, `C2PA`, ... of RIFF; `uuid`,
    `meta`, ... of boxes. Pixels themselves are left out. Nothing for any other kind of file.
    """
    walks = ((JPEG, 0, _segments), (PNG, 0, _chunks), (b"RIFF", 0, _riff_chunks), (b"ftyp", 4, _boxes))
    for head, place, walk in walks:
        if content.startswith(head, place):
            return _bounded(walk(memoryview(content)))
    return iter(())


def crowded(content: bytes) -> bool:
    """Whether a JPEG has more segments than any program writes: a decoder may take minutes for its head alone."""
    return content.startswith(JPEG) and any(True for _ in islice(_segments(memoryview(content)), MAX_SEGMENTS, None))


def boxes(content: bytes) -> Iterator[Part]:
    """Boxes of JUMBF (ISO/IEC 19566-5), each `jumb` followed by those inside it."""
    return _bounded(_boxes(memoryview(content)))


def _bounded(walk: Iterator[tuple[str, memoryview]]) -> Iterator[Part]:
    kept = ((name, bytes(payload)) for name, payload in islice(walk, MAX_STEPS) if name not in PIXELS)
    return islice(kept, MAX_PARTS)


def _segments(content: memoryview) -> Iterator[tuple[str, memoryview]]:
    """The segments of a JPEG up to its first scan (ITU-T T.81, annex B)."""
    place = 2
    while place + 4 <= len(content) and content[place] == FILL:
        marker, size = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == FILL:  # any number of them may stand before a marker
            place += 1
            yield "FF", content[:0]
            continue
        if marker in (START_OF_SCAN, END_OF_IMAGE) or size < 2:
            return
        yield _marker(marker), content[place + 4 : place + 2 + size]
        place += 2 + size


def _marker(number: int) -> str:
    return f"APP{number - 0xE0}" if 0xE0 <= number <= 0xEF else {0xFE: "COM", 0xDD: "DRI"}.get(number, f"{number:02X}")


def _chunks(content: memoryview) -> Iterator[tuple[str, memoryview]]:
    """The chunks of a PNG (ISO/IEC 15948, 5.3)."""
    place = len(PNG)
    while place + 12 <= len(content):
        size, name = struct.unpack_from(">I4s", content, place)
        yield name.decode("latin-1"), content[place + 8 : place + 8 + size]
        place += 12 + size


def _riff_chunks(content: memoryview) -> Iterator[tuple[str, memoryview]]:
    """The chunks of a RIFF file, as WebP is one."""
    place = 12
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        yield name.decode("latin-1"), content[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


def _boxes(content: memoryview, depth: int = 0) -> Iterator[tuple[str, memoryview]]:
    """Boxes of ISO base media (ISO/IEC 14496-12) and of JUMBF, whose `jumb` holds others."""
    place = 0
    while place + 8 <= len(content):
        size, name = struct.unpack_from(">I4s", content, place)
        head = 8
        if size == 1 and place + 16 <= len(content):
            size, head = struct.unpack_from(">Q", content, place + 8)[0], 16
        size = len(content) - place if size == 0 else size
        if size < head:
            return
        inside = content[place + head : place + size]
        yield name.decode("latin-1"), inside
        if name == b"jumb" and depth < MAX_DEPTH:
            yield from _boxes(inside, depth + 1)
        place += size


def png_text(name: str, payload: bytes) -> tuple[str, str] | None:
    """Keyword and text of a PNG chunk `tEXt`, `zTXt` or `iTXt`, at most MAX_TEXT_BYTES unpacked; None of others."""
    keyword, found, rest = payload[:MAX_TEXT_BYTES].partition(b"\0")
    if not found or name not in ("tEXt", "zTXt", "iTXt"):
        return None
    packed = name == "zTXt"
    if name == "zTXt":
        rest = rest[1:]
    if name == "iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].split(b"\0", 2)[-1]
    unpacked = inflated(rest) if packed else rest
    return keyword.decode("latin-1"), unpacked.decode("utf-8" if name == "iTXt" else "latin-1", "replace")


def inflated(packed: bytes) -> bytes:
    """What zlib packed, as far as it is whole and not more than MAX_TEXT_BYTES; a bomb costs no more than that."""
    try:
        return zlib.decompressobj().decompress(packed, MAX_TEXT_BYTES)
    except zlib.error:
        return b""


def line(text: object, max_letters: int = 200) -> str | None:
    """What a file says, text or bytes, as one short line that is safe to show; None where that is nothing."""
    letters = text[: 4 * max_letters].decode("utf-8", "replace") if isinstance(text, bytes) else text
    if not isinstance(letters, str):
        return None
    shown = "".join(letter if letter.isprintable() else " " for letter in letters[: 4 * max_letters])
    return " ".join(shown.split())[:max_letters].rstrip() or None
