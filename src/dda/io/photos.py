"""Image files of others: found, examined without trust, decoded as documented.

A photo is used only where its fake can be given the same compression, since any difference that is not a trace of
generation becomes a shortcut. So: JPEG (colour or greyscale) and lossless formats are used; what cannot be matched
(CMYK, palettes, WebP and other lossy formats, animations) is rejected with its reason. EXIF orientation is left alone:
real and fake share the stored grid of pixels, on which the compression acted.
"""

import errno
import hashlib
import os
import stat
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from dda.core import buffers
from dda.core.jpeg import JpegFacts, jpeg_facts, writable

JPEG_FORMATS = ("JPEG", "MPO")
LOSSLESS_FORMATS = ("PNG", "BMP", "PPM", "TIFF")
OPENED_FORMATS = ("JPEG", *LOSSLESS_FORMATS, "GIF", "WEBP")  # Pillow finds MPO, which phones write, by way of JPEG
LOSSLESS_TIFF = ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits")

Decoded = TypeVar("Decoded")

Image.init()  # else Pillow does not know all formats by name until one of the rarer ones was opened


class PhotoRejected(Exception):
    """This file is no photo that can be used; the message is the reason, for the table."""


@dataclass(frozen=True)
class Photo:
    """A decoded photo: pixels uint8 (H, W, 3), or (H, W) for a greyscale one, and what its file was."""

    pixels: NDArray[np.uint8]
    format: str
    jpeg: JpegFacts | None
    converted: str | None


def find(folder: Path) -> Iterator[Path]:
    """Every entry below a folder that is not a folder itself, sorted; links to folders are given, not followed.

    A folder that cannot be listed is given itself, last, so that it is counted.
    """
    closed: list[OSError] = []
    for root, folders, files in os.walk(folder, onerror=closed.append):
        folders.sort()
        links = [name for name in folders if Path(root, name).is_symlink()]
        yield from (Path(root, name) for name in sorted(files + links))
    yield from (Path(error.filename) for error in closed)


def check_name(name: str) -> None:
    """Raise PhotoRejected for a name that no table can hold."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise PhotoRejected("the file's name is not UTF-8") from error


def read_bytes(path: Path, may_be_empty: bool = False) -> bytes:
    """The file's bytes. Raises PhotoRejected where it cannot be read, is no file, or is empty."""
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            what = "link to a folder, not followed" if path.is_symlink() else "folder that cannot be listed"
            raise PhotoRejected(what)
        if not stat.S_ISREG(kind):
            raise PhotoRejected("neither a file nor a folder")
        content = path.read_bytes()
    except OSError as error:
        lost = path.is_symlink() and error.errno in (errno.ENOENT, errno.ELOOP)
        raise PhotoRejected(f"cannot be read: {'link that leads nowhere' if lost else error.strerror}") from error
    if not content and not may_be_empty:
        raise PhotoRejected("empty file")
    return content


def read_indexed(path: Path, sha256_of_index: str) -> bytes:
    """The bytes of a photo that is still the file that was indexed. Raises PhotoRejected where it is not."""
    content = read_bytes(path)
    if sha256(content) != sha256_of_index:
        raise PhotoRejected("changed since it was indexed")
    return content


def decode(content: bytes, max_pixels: int, min_side_px: int = 1) -> Photo:
    """The photo in a file's bytes. Raises PhotoRejected with the reason where it cannot be used."""
    return guarded(content, _decode_image, max_pixels, min_side_px)


def decode_any(content: bytes, max_pixels: int) -> NDArray[np.uint8]:
    """RGB pixels (H, W, 3) of any image in a known format, as a detector sees it: first frame, transparency on white.

    Raises PhotoRejected with the reason where it cannot be read.
    """
    return np.asarray(open_any(content, max_pixels))


def open_any(content: bytes, max_pixels: int) -> Image.Image:
    """What `decode_any` gives, and raises, but as Pillow's image, for what resizes it."""
    return guarded(content, rgb_picture, max_pixels)


def guarded(
    content: bytes,
    reader: Callable[[Image.Image], Decoded],
    max_pixels: int,
    min_side_px: int = 1,
    formats: tuple[str, ...] = OPENED_FORMATS,
) -> Decoded:
    """What a reader makes of an image of these formats (Pillow's names), opened with every precaution.

    Raises PhotoRejected with the reason where it cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large images and odd metadata; the limits here decide
        try:
            with Image.open(BytesIO(content), formats=formats) as image:
                _check_size(image, max_pixels, min_side_px)
                return reader(image)
        except PhotoRejected:
            raise
        except UnidentifiedImageError as error:
            raise PhotoRejected("no image in a known format") from error
        except Image.DecompressionBombError as error:
            raise PhotoRejected(f"more than {max_pixels} pixels") from error
        except Exception as error:  # one sample: decoders raise nearly anything on a broken file
            raise PhotoRejected(f"damaged: {error or type(error).__name__}") from error


def _check_size(image: Image.Image, max_pixels: int, min_side_px: int) -> None:
    if image.width * image.height > max_pixels:
        raise PhotoRejected(f"more than {max_pixels} pixels: {image.width}x{image.height}")
    if min(image.size) < min_side_px:
        raise PhotoRejected(f"a side below {min_side_px} px: {image.width}x{image.height}")


def _decode_image(image: Image.Image) -> Photo:
    if image.format in JPEG_FORMATS:
        return _decode_jpeg(image)
    _check_lossless(image)
    opened: Any = image
    deep = bool(opened.tile) and ";16" in str(opened.tile[0].args)  # Pillow reads 16-bit colour as 8-bit by itself
    image.load()
    picture, converted = _flatten(_with_alpha(image))
    return Photo(np.asarray(picture), str(image.format), None, "16 to 8 bits" if deep else converted)


def _decode_jpeg(image: Image.Image) -> Photo:
    if image.mode not in ("RGB", "L"):
        raise PhotoRejected(f"{image.mode} JPEG: a fake cannot be given its compression")
    facts = jpeg_facts(image)
    if not writable(facts):
        raise PhotoRejected(f"JPEG with subsampling {facts.subsampling}: a fake cannot be given it")
    image.load()
    return Photo(np.asarray(image), str(image.format), facts, None)


def _check_lossless(image: Image.Image) -> None:
    opened: Any = image
    if image.format not in LOSSLESS_FORMATS:
        raise PhotoRejected(f"{image.format}: a fake cannot be given its compression")
    if image.format == "TIFF" and image.info.get("compression") not in LOSSLESS_TIFF:
        raise PhotoRejected(f"TIFF with {image.info.get('compression')} compression: a fake cannot be given it")
    if getattr(opened, "n_frames", 1) > 1:
        raise PhotoRejected(f"animation or several pages: {opened.n_frames} frames")
    few_greys = bool(opened.tile) and str(opened.tile[0].args) in ("L;2", "L;4")
    if image.mode in ("P", "PA", "1") or few_greys:
        raise PhotoRejected("palette or few greys: they would tell the real from its fake")


def _with_alpha(image: Image.Image) -> Image.Image:
    """An image in which one colour is declared transparent, with that as a channel; any other as it is."""
    declared = "transparency" in image.info and image.mode in ("P", "L", "RGB")
    return image.convert("RGBA") if declared else image


def _flatten(image: Image.Image) -> tuple[Image.Image, str | None]:
    """Greyscale or RGB, 8 bits, and how that was reached where the file held anything else."""
    if image.mode in ("RGB", "L"):
        return image, None
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.float64)
        return Image.fromarray(np.rint(np.clip(values / 257, 0, 255)).astype(np.uint8)), "16 to 8 bits"
    if image.mode in ("RGBA", "LA"):
        background = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(background, image.convert("RGBA")).convert("RGB"), "transparency on white"
    raise PhotoRejected(f"pixels of kind {image.mode} are not supported")


def rgb_of(image: Image.Image) -> NDArray[np.uint8]:
    """RGB pixels (H, W, 3) of an opened image of any mode, as `rgb_picture`."""
    return np.asarray(rgb_picture(image))


def rgb_picture(image: Image.Image) -> Image.Image:
    """An opened image of any mode, loaded, as RGB: transparency on white, 16 bits rounded to 8.

    Raises what Pillow raises where its file is broken.
    """
    image.load()
    image = _with_alpha(image)
    if image.mode in ("RGBA", "LA", "I") or image.mode.startswith("I;16"):
        image = _flatten(image)[0]
    return image if image.mode == "RGB" else image.convert("RGB")


def as_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Greyscale (H, W) or RGB (H, W, 3) pixels as RGB."""
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Lossless PNG bytes at a fast setting."""
    buffer = BytesIO()
    with buffers.steady():
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def sha256(content: bytes) -> str:
    """Hex digest of bytes."""
    return hashlib.sha256(content).hexdigest()
