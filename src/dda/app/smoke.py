"""Whether a version in the registry answers as its detector did when it was registered: on a few drawn images."""

import base64
import json
import math
import tempfile
from pathlib import Path

from dda.core import fixtures
from dda.core.errors import SetupError
from dda.io import atomic, photos
from dda.io.candidates import FIXTURES
from dda.io.detecting import Detector
from dda.io.registry import Registry

TOLERANCE = 1e-4
"""Between logits on a CPU, of machines and releases that add up in another order."""


def pictures() -> list[bytes]:
    """The drawn images as PNG."""
    return [photos.encode_png(pixels) for pixels in fixtures.images()]


def write(folder: Path, detector: Detector) -> None:
    """Write the images, and what a detector on a CPU says of them."""
    drawn = pictures()
    logits = [found.logit for found in detector.predict(drawn)]
    atomic.write_json(
        folder / FIXTURES, {"images": [base64.b64encode(one).decode() for one in drawn], "logits": logits}
    )


def check(registry: Registry, name: str) -> None:
    """Load a version, by number or alias, as anybody would, and ask it.

    Raises SetupError where it answers otherwise."""
    version = registry.version(name)
    with tempfile.TemporaryDirectory() as scratch:
        kept = json.loads(registry.fetch(version, FIXTURES, Path(scratch)).read_text("utf-8"))
    found = answers(registry, name, [base64.b64decode(one) for one in kept["images"]])
    if not all(abs(one - other) <= TOLERANCE for one, other in zip(found, kept["logits"], strict=True)):
        told = f"{registry.model} {name} (version {version.number}) gives logits that are not its detector's"
        raise SetupError(f"{told}: {_shown(found)} instead of {_shown(kept['logits'])}. Serve another version")


def answers(registry: Registry, name: str, contents: list[bytes]) -> list[float]:
    """The logits of a version on a CPU; NaN where it could not read an image."""
    import pandas as pd

    table = registry.load(name, device="cpu").predict(pd.DataFrame({"image": contents}))
    return [math.nan if logit is None else float(logit) for logit in table["logit"]]


def _shown(logits: list[float]) -> str:
    return ", ".join(f"{logit:.5f}" for logit in logits)
