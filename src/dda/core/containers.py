"""The parts of an image file by their names, without decoding anything: JPEG segments, PNG chunks, RIFF chunks, boxes.

Files are not to be trusted: each part lies inside the bytes given, their number is bounded, and what is broken ends the
walk. Nothing is raised.
"""

import struct
import zlib
from collections.abc import Iterator
from itertools import islice

MAX_PARTS = 20_000
MAX_TEXT_BYTES = 1_000_000
Part = tuple[str, bytes]

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9


def parts(content: bytes) -> Iterator[Part]:
    """Names and payloads of the parts before the pixels of a JPEG, and of all parts of a PNG, WebP, AVIF or HEIC.

    Names: `APP1`, `COM`, `DRI`, ... of JPEG; `tEXt`, `caBX`, ... of PNG; `EXIF`, `XMP `, `C2PA`, ... of RIFF; `uuid`,
    `meta`, ... of boxes. Pixels themselves are left out. Nothing for any other kind of file.
    """
    if content.startswith(JPEG):
        walk = segments(content)
    elif content.startswith(PNG):
        walk = chunks(content)
    elif content[:4] == b"RIFF":
        walk = riff_chunks(content)
    elif content[4:8] == b"ftyp":
        walk = boxes(content)
    else:
        walk = iter(())
    return islice(walk, MAX_PARTS)


def segments(content: bytes) -> Iterator[Part]:
    """The segments of a JPEG up to its first scan (ITU-T T.81, annex B)."""
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker, size = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == 0xFF:  # fill bytes may stand before a marker
            place += 1
            continue
        if marker in (START_OF_SCAN, END_OF_IMAGE) or size < 2:
            return
        yield _marker(marker), content[place + 4 : place + 2 + size]
        place += 2 + size


def _marker(number: int) -> str:
    return f"APP{number - 0xE0}" if 0xE0 <= number <= 0xEF else {0xFE: "COM", 0xDD: "DRI"}.get(number, f"{number:02X}")


def chunks(content: bytes) -> Iterator[Part]:
    """The chunks of a PNG but its pixels."""
    place = len(PNG)
    while place + 12 <= len(content):
        size, name = struct.unpack_from(">I4s", content, place)
        if name != b"IDAT":
            yield name.decode("latin-1"), content[place + 8 : place + 8 + size]
        place += 12 + size


def riff_chunks(content: bytes) -> Iterator[Part]:
    """The chunks of a RIFF file, as WebP is one, but its pixels."""
    place = 12
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        if name not in (b"VP8 ", b"VP8L", b"ANMF", b"ALPH"):
            yield name.decode("latin-1"), content[place + 8 : place + 8 + size]
        place += 8 + size + size % 2


def boxes(content: bytes, depth: int = 0) -> Iterator[Part]:
    """Boxes of ISO base media (ISO/IEC 14496-12) or JUMBF (ISO/IEC 19566-5), with those inside `jumb` after it."""
    place = 0
    while place + 8 <= len(content):
        size, name = struct.unpack_from(">I4s", content, place)
        head = 8
        if size == 1 and place + 16 <= len(content):
            size, head = struct.unpack_from(">Q", content, place + 8)[0], 16
        size = len(content) - place if size == 0 else size
        if size < head:
            return
        if name != b"mdat":
            inside = content[place + head : place + size]
            yield name.decode("latin-1"), inside
            if name == b"jumb" and depth < 8:
                yield from boxes(inside, depth + 1)
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
