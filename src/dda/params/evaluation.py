"""The section `evaluate` of params.yaml: who is judged on what, and what is done to the images before."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from dda.catalog.names import Benchmarks, Detectors
from dda.core import protocols
from dda.params.steps import Count, Section, Seed


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        protocols.parse(name)
    if not names or len(set(names)) < len(names):
        raise ValueError("must name at least one protocol, and none twice")
    return names


Protocols = Annotated[tuple[str, ...], AfterValidator(_some)]


class Evaluate(Section):
    """Which detectors are judged on which benchmarks, besides the held-out pairs of every VAE, and how."""

    detectors: Detectors
    benchmarks: Benchmarks
    protocols: Protocols
    views: Literal["centre", "five", "tiles"]
    seed: Seed
    precision: Literal["float32", "bfloat16"]
    batch_images: Count
    max_pixels: Count
