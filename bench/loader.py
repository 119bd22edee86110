"""The views of pairs, crop first, against the published order, in one run.    python bench/loader.py --photos FOLDER

Both decode the same two JPEG files of each pair and make six views of 336 pixels, by the same draws and with the same
calls of the same libraries, on one core. The published order resizes and augments whole images and crops last. They
take turns, since a machine's speed drifts. The fake of a pair is its photo, lightly blurred, with the same tables.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import inputs
import numpy as np
import plain_views
from PIL import Image, ImageFilter

from dda import params, quiet
from dda.core import views

INPUT_PX = 336
PROFILE = Path(__file__).parents[1] / "profiles" / "recommended.yaml"
PUBLISHED: dict[str, Any] = params.load(PROFILE).train.views.model_dump()
EVERYTHING = PUBLISHED | {"augmentations": [one | {"probability": 1.0} for one in PUBLISHED["augmentations"]]}
Pair = tuple[bytes, bytes]
Views = Callable[[list[Image.Image], views.Drawn, int], list[views.Pixels]]


@dataclass
class Spent:
    """Seconds that a core computed, of one way to make views, and how many were made."""

    seconds: float = 0.0
    decoding_s: float = 0.0
    crops: int = 0

    @property
    def rate(self) -> float:
        """Crops a second."""
        return self.crops / self.seconds


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", default="embedded", help="a folder, or embedded")
    parser.add_argument("--n", type=int, default=50, help="pairs")
    parser.add_argument("--rounds", type=int, default=8, help="how often all pairs are drawn anew")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with TemporaryDirectory() as name:
        photos = inputs.photos_of(options.photos, options.n, Path(name))
        print(f"{len(photos)} pairs, {inputs.described(photos)}; {inputs.machine()}", flush=True)
        pairs = [paired(Path(path)) for path in photos]
    ways: dict[str, Views] = {"crop first": views.views_of, "crop last": plain_views.views_of}
    for make in ways.values():
        make(decoded(pairs[0]), views.draw(EVERYTHING, np.random.default_rng(0)), INPUT_PX)  # imports and tables: once
    spent = {way: Spent() for way in ways}
    for number in range(options.rounds):
        for way, make in ways.items():
            add(spent[way], timed(make, pairs, seed=number))
        told = ", ".join(f"{way} {one.rate:.1f} crops a second" for way, one in spent.items())
        print(f"round {number + 1} of {options.rounds}, so far: {told}", flush=True)
    conclude(spent, agreement(pairs[: max(1, options.n // 4)]))


def paired(path: Path) -> Pair:
    """The bytes of a photo as JPEG and of its fake."""
    with Image.open(path) as opened:
        photo = opened.convert("RGB")
        tables = getattr(opened, "quantization", None)
    real, fake = BytesIO(), BytesIO()
    save = partial(Image.Image.save, format="JPEG", **({"qtables": tables} if tables else {"quality": 95}))
    if opened.format == "JPEG":
        real.write(path.read_bytes())
    else:
        save(photo, real)
    save(photo.filter(ImageFilter.GaussianBlur(0.7)), fake)
    return real.getvalue(), fake.getvalue()


def decoded(pair: Pair) -> list[Image.Image]:
    """Both images of a pair."""
    images = [Image.open(BytesIO(content)) for content in pair]
    for image in images:
        image.load()
    return [image if image.mode == "RGB" else image.convert("RGB") for image in images]


def timed(make: Views, pairs: list[Pair], seed: int) -> Spent:
    """What all views of all pairs take, each pair with a draw of its own."""
    rng, spent = np.random.default_rng(seed), Spent()
    began = time.process_time()
    for pair in pairs:
        before = time.process_time()
        images = decoded(pair)
        spent.decoding_s += time.process_time() - before
        spent.crops += len(make(images, views.draw(PUBLISHED, rng), INPUT_PX))
    spent.seconds = time.process_time() - began
    return spent


def add(total: Spent, spent: Spent) -> None:
    """More of the same."""
    total.seconds += spent.seconds
    total.decoding_s += spent.decoding_s
    total.crops += spent.crops


def agreement(pairs: list[Pair]) -> dict[str, float]:
    """How far the views of both ways differ: the share of equal values, and of those that differ by two at most."""
    rng, equal, near = np.random.default_rng(0), [], []
    for pair in pairs:
        images, drawn = decoded(pair), views.draw(PUBLISHED, rng)
        first = np.stack(views.views_of(images, drawn, INPUT_PX))
        last = np.stack(plain_views.views_of(images, drawn, INPUT_PX))
        difference = cv2.absdiff(first.ravel(), last.ravel())
        equal.append(np.mean(difference == 0))
        near.append(np.mean(difference <= 2))
    return {"equal": float(np.mean(equal)), "within two grey levels": float(np.mean(near))}


def conclude(spent: dict[str, Spent], agreeing: dict[str, float]) -> None:
    """Print rates, their ratio, the share of decoding, and how well both agree."""
    first, last = spent["crop first"], spent["crop last"]
    for way, one in spent.items():
        share = f"{one.decoding_s / one.seconds:.0%} of the time decodes"
        print(f"{way}: {one.rate:.1f} crops a second per core, {share}")
    without = (last.seconds - last.decoding_s) / (first.seconds - first.decoding_s)
    print(f"crop first against crop last: {first.rate / last.rate:.2f} times as many, {without:.2f} without decoding")
    print("values of both: " + ", ".join(f"{share:.2%} {what}" for what, share in agreeing.items()))


if __name__ == "__main__":
    quiet.apply()
    main()
