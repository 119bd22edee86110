"""What protocols do to images: each step takes a picture in RGB, a generator of its own, and the step's numbers."""

from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dda.core.protocols import Step
from dda.core.seeds import generator

Pixels = NDArray[np.uint8]
LARGEST_PIXELS = 400_000_000
SCREEN_PX = (1920, 1080)


def apply(steps: Iterable[Step], pixels: Pixels, name: str, seed: int) -> Pixels:
    """RGB uint8 (H, W, 3) after these steps, perhaps of another size. What they draw follows from `seed` and `name`.

    Raises ValueError where the result would be too large, or is none that the format of a step can hold.
    """
    picture = Image.fromarray(pixels)
    for number, (step, values) in enumerate(steps):
        picture = STEPS[step](picture, generator(seed, "protocol", name, str(number)), *values)
    return np.asarray(picture)


def saved_as(steps: Sequence[Step], name: str, seed: int) -> tuple[str, int] | None:
    """`JPEG` or `WEBP`, and the quality, where the last of these steps saves the image; else None: bare pixels.

    With what `apply` draws for the same name and seed.
    """
    if not steps or steps[-1][0] not in ("jpeg", "webp"):
        return None
    step, values = steps[-1]
    random = generator(seed, "protocol", name, str(len(steps) - 1))
    return step.upper(), round(_drawn(random, *values))


def _drawn(random: np.random.Generator, low: float, high: float | None = None) -> float:
    """Evenly between two numbers, or the only one."""
    return low if high is None else random.uniform(low, high)


def _through(picture: Image.Image, kind: str, quality: float) -> Image.Image:
    buffer = BytesIO()
    picture.save(buffer, kind, quality=round(quality))
    return Image.open(buffer).convert("RGB")


def _jpeg(picture: Image.Image, random: Any, low: float, high: float | None = None) -> Image.Image:
    """Saved as JPEG as Pillow does by default: 4:2:0."""
    return _through(picture, "JPEG", _drawn(random, low, high))


def _webp(picture: Image.Image, random: Any, quality: float) -> Image.Image:
    del random
    return _through(picture, "WEBP", quality)


def _sized(picture: Image.Image, factor: float, kernel: Image.Resampling) -> Image.Image:
    width, height = (max(1, round(side * factor)) for side in picture.size)
    if width * height > LARGEST_PIXELS:
        raise ValueError(f"would be {width}x{height} pixels, more than {LARGEST_PIXELS}")
    return picture.resize((width, height), kernel)


def _resize(picture: Image.Image, random: Any, factor: float) -> Image.Image:
    del random
    return _sized(picture, factor, Image.Resampling.LANCZOS)


def _fit(picture: Image.Image, random: Any, longest_px: float) -> Image.Image:
    """Made smaller where its longer side is more than this; never made larger."""
    del random
    return _sized(picture, min(1, longest_px / max(picture.size)), Image.Resampling.BICUBIC)


def _show(picture: Image.Image, random: Any, low: float, high: float) -> Image.Image:
    """As a browser shows it at a drawn zoom, on a screen that it fits on: bilinear."""
    fitting = min(screen / side for screen, side in zip(SCREEN_PX, picture.size, strict=True))
    return _sized(picture, min(fitting, _drawn(random, low, high)), Image.Resampling.BILINEAR)


def _cut(picture: Image.Image, random: Any, low: float, high: float) -> Image.Image:
    """So many pixels gone at each edge, drawn for each: no hand cuts along the grid of blocks."""
    left, top, right, bottom = (int(one) for one in random.integers(int(low), int(high), 4, endpoint=True))
    width, height = picture.size
    if width <= left + right or height <= top + bottom:
        return picture
    return picture.crop((left, top, width - right, height - bottom))


def _crop(picture: Image.Image, random: Any, share: float) -> Image.Image:
    width, height = (max(1, round(side * share)) for side in picture.size)
    left, top = (int(n) for n in random.integers(0, (picture.width - width, picture.height - height), endpoint=True))
    return picture.crop((left, top, left + width, top + height))


def _blur(picture: Image.Image, random: Any, sigma: float) -> Image.Image:
    import cv2

    del random
    return Image.fromarray(np.asarray(cv2.GaussianBlur(np.asarray(picture), (0, 0), sigma), np.uint8))


def _noise(picture: Image.Image, random: Any, sigma: float) -> Image.Image:
    pixels = np.asarray(picture)
    field = random.standard_normal(pixels.shape, np.float32) * np.float32(sigma)
    return Image.fromarray(np.rint(np.clip(pixels + field, 0, 255)).astype(np.uint8))


STEPS: dict[str, Callable[..., Image.Image]] = {
    "jpeg": _jpeg,
    "webp": _webp,
    "resize": _resize,
    "fit": _fit,
    "show": _show,
    "cut": _cut,
    "crop": _crop,
    "blur": _blur,
    "noise": _noise,
}
