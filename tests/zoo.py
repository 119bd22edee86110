"""Image files that somebody may have: odd, broken, hostile, or none at all."""

import contextlib
import random
import struct
import zipfile
import zlib
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from dda.embedded.photos import PHOTOGRAPHS, originals

PHOTO = originals(PHOTOGRAPHS[0])[0].crop((60, 60, 156, 140))
SIZE = PHOTO.size


def stored(picture, kind, **options):
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunk(png, kind, content):
    """A PNG with one more chunk after its header."""
    return png[:33] + chunk(kind, content) + png[33:]


def claiming(width, height):
    """A PNG whose header claims a size, and which has no such pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0" * 99)) + chunk(b"IEND", b"")
    )


def zipped():
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "text")
    return buffer.getvalue()


def frames(kind, **options):
    return stored(PHOTO, kind, save_all=True, append_images=[PHOTO.rotate(180)], **options)


def lab():
    return ImageCms.profileToProfile(
        PHOTO, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )


def heic():
    """The photo in HEIC, where a wheel writes it."""
    from pillow_heif import from_pillow

    buffer = BytesIO()
    from_pillow(PHOTO).save(buffer, quality=90)
    return buffer.getvalue()


JPEG, PNG, GIF = stored(PHOTO, "JPEG"), stored(PHOTO, "PNG"), stored(PHOTO, "GIF")
TURNED = Image.Exif()
TURNED[0x0112] = 6
FINE = {
    "jpeg": JPEG,
    "jpeg called png": JPEG,
    "progressive": stored(PHOTO, "JPEG", progressive=True),
    "cmyk": stored(PHOTO.convert("CMYK"), "JPEG"),
    "grey": stored(PHOTO.convert("L"), "JPEG"),
    "turned": stored(PHOTO, "JPEG", exif=TURNED),
    "broken exif": JPEG[:2] + b"\xff\xe1\x00\x10Exif\0\0II*\0\xff\xff\xff\xff" + JPEG[2:],
    "jpeg with a tail": JPEG + b"\0" * 1000,
    "jpeg and zip": JPEG + zipped(),
    "gif and script": GIF + b"/*<script>alert(1)</script>*/=1;",
    "gif as script": b"GIF89a" + GIF[6:] + b"*/=1;alert(1)//",
    "png": PNG,
    "rgba": stored(PHOTO.convert("RGBA"), "PNG"),
    "grey with alpha": stored(PHOTO.convert("LA"), "PNG"),
    "palette": stored(PHOTO.quantize(16), "PNG"),
    "one bit": stored(PHOTO.convert("1"), "PNG"),
    "16 bits": stored(Image.fromarray(np.asarray(PHOTO.convert("L")).astype(np.uint16) * 257), "PNG"),
    "32 bits": stored(PHOTO.convert("I"), "TIFF"),
    "long text": with_chunk(PNG, b"tEXt", b"Comment\0" + b"x" * 3_000_000),
    "text bomb": with_chunk(PNG, b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 30_000_000)),
    "unicode text bomb": with_chunk(PNG, b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"x" * 30_000_000)),
    "profile bomb": with_chunk(PNG, b"iCCP", b"Profile\0\0" + zlib.compress(b"x" * 30_000_000)),
    "apng": frames("PNG", duration=0),
    "bmp": stored(PHOTO, "BMP"),
    "ppm": stored(PHOTO, "PPM"),
    "tiff": stored(PHOTO, "TIFF", compression="tiff_lzw"),
    "tiff of pages": frames("TIFF"),
    "gif": frames("GIF", duration=0),
    "webp": stored(PHOTO, "WEBP"),
    "webp of 0 seconds": frames("WEBP", duration=0),
    "mpo": frames("MPO"),
    "avif": stored(PHOTO, "AVIF"),
    "one pixel": stored(PHOTO.crop((0, 0, 1, 1)), "PNG"),
    "a line": stored(PHOTO.resize((1, 65000)), "PNG"),
    "a wide line": stored(PHOTO.resize((65000, 1)), "JPEG"),
}
REASONS = {
    "empty": (b"", "empty file"),
    "text": (b"no image", "no image in a known format"),
    "zeros": (b"\0" * 5000, "no image in a known format"),
    "svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"></svg>', "SVG: a drawing in text"),
    "svg at once": (b"<svg/>", "SVG: a drawing in text"),
    "page": (b"<!DOCTYPE html><html></html>", "a page of text"),
    "jpeg 2000": (stored(PHOTO, "JPEG2000"), "JPEG 2000, which is not read"),
    "pdf": (stored(PHOTO, "PDF"), "a PDF document"),
    "zip": (zipped(), "a zip archive"),
    "film": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "a film"),
    "float": (stored(PHOTO.convert("F"), "TIFF"), "pixels of kind F"),
    "lab": (
        stored(lab(), "TIFF"),
        "pixels of kind LAB",
    ),
    "bomb": (claiming(30_000, 30_000), "more than 178956970 pixels"),
    "large bomb": (claiming(2**31 - 1, 2**31 - 1), "more than 178956970 pixels"),
    "no width": (claiming(0, 10), "damaged|no image"),
    "only a claim": (claiming(96, 80), "damaged"),
    "half": (JPEG[: len(JPEG) // 2], "damaged"),
    "half png": (PNG[: len(PNG) // 2], "damaged"),
}
"""Each with a pattern of the reason."""
SMALL = PHOTO.crop((0, 0, 24, 20))
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "PPM", "TIFF", "MPO", "AVIF")


def seeds():
    """A small file of every format, and of those that hold several pictures one with two; some compressed in TIFF."""
    found = [stored(SMALL, kind) for kind in FORMATS]
    found += [stored(SMALL.convert("CMYK"), "JPEG", progressive=True), stored(SMALL.quantize(8), "PNG")]
    found += [stored(SMALL, "TIFF", compression=kind) for kind in ("tiff_lzw", "tiff_deflate", "jpeg")]
    found += [stored(SMALL.convert("1"), "TIFF", compression="group4"), stored(SMALL, "JPEG", exif=TURNED)]
    found += [
        stored(SMALL, kind, save_all=True, append_images=[SMALL.rotate(180)]) for kind in ("PNG", "GIF", "WEBP", "TIFF")
    ]
    with contextlib.suppress(ImportError):
        found.append(heic())
    return found


def mutated(content, others, number):
    """A file with flipped bits, cuts, pieces of another one, and numbers that are too large; by a number, always so."""
    draw = random.Random(number)
    found = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        place = draw.randrange(max(1, len(found)))
        way = draw.randrange(5)
        if way == 0 and found:
            found[place % len(found)] ^= 1 << draw.randrange(8)
        elif way == 1:
            del found[place : place + draw.choice((1, 4, 60, len(found)))]
        elif way == 2:
            other = draw.choice(others)
            start = draw.randrange(len(other))
            found[place:place] = other[start : start + draw.randrange(200)]
        elif way == 3:
            size = draw.choice((1, 2, 4))
            found[place : place + size] = draw.choice((b"\xff", b"\x00", b"\x7f", b"\x80")) * size
        else:
            found[place : place + 4] = draw.randrange(2**32).to_bytes(4, draw.choice(("big", "little")))
    return bytes(found)
