"""Images that somebody asks about: of any format, size and mode, upright, and decoded no further than is looked at.

What a photo of a training set may not be (CMYK, 16 bits, WebP, an animation) is answered here as well: whoever asks
wants a verdict. Windows are cut before they are converted, so that a photo of 100 megapixels is in memory once.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from dda.core.regions import Region
from dda.io import photos, png_chunks, unknown_files

MAX_PIXELS = 178_956_970  # twice Pillow's own MAX_IMAGE_PIXELS, beyond which it refuses an image
BIG_PIXELS = 25_000_000
FORMATS = (*photos.OPENED_FORMATS, "AVIF")
ORIENTATION = 0x0112  # of EXIF
ONE_BIG = Lock()
"""Held while a big image is in memory: several threads with one each would need many times as much."""
Pixels = NDArray[np.uint8]
Given = TypeVar("Given")
FRAMES = "animated: only its first frame was looked at"
PAGES = "several pages: only the first was looked at"
UNSCALED = {"F": "which number is white is not known", "LAB": "they are not read"}


@dataclass(frozen=True)
class Picture:
    """A loaded image, upright, in its own mode, and what was done to it; `format` is None where it was no file."""

    image: Image.Image
    format: str | None = None
    notes: tuple[str, ...] = ()

    def cut(self, region: Region) -> Pixels:
        """RGB pixels (H, W, 3) of a region: transparency on white, 16 bits rounded to 8."""
        box = (region.left, region.top, region.left + region.width, region.top + region.height)
        return _or_reason(lambda: _rgb(self.image.crop(box)))


def opened(image: Any, max_pixels: int = MAX_PIXELS) -> Picture:
    """What `opening` gives, for as long as it is wanted: big ones may then be in memory side by side."""
    with opening(image, max_pixels) as picture:
        return picture


@contextmanager
def opening(image: Any, max_pixels: int = MAX_PIXELS) -> Iterator[Picture]:
    """An image as it may be given: a path, a file's bytes, Pillow's, an array or a tensor.

    Arrays are uint8 or floats in [0, 1], (H, W), (H, W, 3) or (H, W, 4); tensors the same as (H, W), (3, H, W) or
    (4, H, W). They are taken as upright. Raises PhotoRejected where a file cannot be read, ValueError for what is no
    image at all.
    """
    with ExitStack() as held:
        if isinstance(image, str | PathLike):
            yield _decoded(photos.read_bytes(Path(image)), max_pixels, held)
        elif isinstance(image, bytes | bytearray | memoryview):
            yield _decoded(bytes(image), max_pixels, held)
        elif isinstance(image, Image.Image):
            yield _loaded(image, max_pixels, held)
        else:
            yield Picture(Image.fromarray(_pixels(image)))


def _decoded(content: bytes, max_pixels: int, held: ExitStack) -> Picture:
    """The image in a file's bytes. Raises PhotoRejected with the reason where it cannot be read."""
    if not content:
        raise photos.PhotoRejected("empty file")
    if (reason := unknown_files.reason(content)) is not None:
        raise photos.PhotoRejected(reason)
    formats = (*FORMATS, *unknown_files.formats(content))

    def read(part: bytes) -> Picture:
        return photos.guarded(part, lambda image: _upright(image, held), max_pixels, formats=formats)

    try:
        return read(content)
    except photos.PhotoRejected as rejection:
        plain = png_chunks.without_text(content)
        if plain == content:
            raise photos.PhotoRejected(unknown_files.told(str(rejection))) from rejection
    try:
        return read(plain)
    except photos.PhotoRejected as rejection:
        raise photos.PhotoRejected(unknown_files.told(str(rejection))) from rejection


def _loaded(image: Image.Image, max_pixels: int, held: ExitStack) -> Picture:
    """Pillow's image, which may not have read its file yet."""
    if image.width * image.height > max_pixels:
        raise photos.PhotoRejected(f"more than {max_pixels} pixels: {image.width}x{image.height}")
    return _or_reason(lambda: _upright(image.copy(), held))


def _or_reason(work: Callable[[], Given]) -> Given:
    """What work gives. Raises PhotoRejected with the reason where it fails."""
    try:
        return work()
    except photos.PhotoRejected:
        raise
    except Exception as error:  # one sample: decoders raise nearly anything on a broken file
        raise photos.PhotoRejected(unknown_files.told(f"damaged: {error or type(error).__name__}")) from error


def _rgb(image: Image.Image) -> Pixels:
    if image.mode in UNSCALED:
        raise photos.PhotoRejected(f"pixels of kind {image.mode}: {UNSCALED[image.mode]}")
    return photos.rgb_of(image)


def _upright(image: Image.Image, held: ExitStack) -> Picture:
    if image.width * image.height > BIG_PIXELS:
        held.enter_context(ONE_BIG)
    notes = []
    if getattr(image, "is_animated", False) and image.format != "MPO":  # phones keep a preview as a second picture
        notes.append(PAGES if image.format == "TIFF" else FRAMES)
    kind = image.format
    image.load()
    turn = _orientation(image)
    if turn is None:
        notes.append("its EXIF data are damaged, so that it was taken as it is stored")
    elif turn != 1:
        ImageOps.exif_transpose(image, in_place=True)
        notes.append("turned upright as its EXIF data say")
    return Picture(image, kind, tuple(notes))


def _orientation(image: Image.Image) -> int | None:
    """1 to 8 as EXIF has it, 1 where it says nothing; None where what it says cannot be read."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # one sample: readers of EXIF raise nearly anything on broken data
        return None
    return found if found in range(1, 9) else 1


def _pixels(image: Any) -> Pixels:
    """An array's or a tensor's values as uint8 (H, W), (H, W, 3) or (H, W, 4)."""
    values: Any = image
    if hasattr(image, "detach"):
        values = image.detach().cpu().numpy()
        values = np.moveaxis(values, 0, -1) if values.ndim == 3 else values
    if isinstance(values, np.ndarray) and values.size and (values.ndim == 2 or values.shape[2:] in {(3,), (4,)}):
        if values.dtype == np.uint8:
            return np.asarray(values, np.uint8)
        if np.issubdtype(values.dtype, np.floating) and values.min() >= 0 and values.max() <= 1:
            return np.asarray(np.rint(values * 255), np.uint8)
    raise ValueError(
        f"{_kind(image)} is no image: it must be a path, a file's bytes, one of Pillow, an array (H, W), (H, W, 3) or "
        "(H, W, 4) or a tensor (H, W), (3, H, W) or (4, H, W), of uint8 or of floats in [0, 1]"
    )


def _kind(image: Any) -> str:
    return f"{image.dtype} {tuple(image.shape)}" if hasattr(image, "dtype") else type(image).__name__
