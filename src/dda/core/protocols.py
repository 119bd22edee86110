"""Protocols: what is done to a benchmark's images before a detector sees them, the same for every detector.

`native` leaves them as they are. `fakes-q96` saves fakes again as JPEG of quality 96, which the paper does where reals
are JPEG and fakes PNG; `all-q96` does it to all, so that the format tells nothing. The others ask how much a detector
bears: each is done to real and fake alike, and what it draws follows from a seed and the image.
"""

import re
from dataclasses import dataclass

from dda.core.labels import FAKE

Step = tuple[str, tuple[float, ...]]
"""A step's name and its numbers: two where it draws between them."""


@dataclass(frozen=True)
class Protocol:
    """A protocol's name, its steps in order, and whether reals are left as they are."""

    name: str
    steps: tuple[Step, ...] = ()
    only_fakes: bool = False

    def steps_for(self, label: int) -> tuple[Step, ...]:
        """What is done to an image of this class; nothing at all for a real where only fakes are changed."""
        return () if self.only_fakes and label != FAKE else self.steps


SOCIAL: dict[int, Step] = {2048: ("jpeg", (80, 90)), 1080: ("jpeg", (70, 80))}
NAMED = {
    "native": Protocol("native"),
    "fakes-q96": Protocol("fakes-q96", (("jpeg", (96,)),), only_fakes=True),
    "all-q96": Protocol("all-q96", (("jpeg", (96,)),)),
    "screenshot": Protocol("screenshot", (("show", (0.6, 1.4)), ("cut", (0, 7)))),
    **{f"social-{side}": Protocol(f"social-{side}", (("fit", (side,)), jpeg)) for side, jpeg in SOCIAL.items()},
    "social-twice": Protocol(
        "social-twice", tuple(step for side, jpeg in SOCIAL.items() for step in (("fit", (float(side),)), jpeg))
    ),
}
FAMILIES = {
    "jpeg": (30, 100, "IJG quality, 4:2:0"),
    "webp": (30, 100, "quality of lossy WebP"),
    "resize": (0.25, 2, "both sides times this, Lanczos"),
    "blur": (0.1, 10, "Gaussian of so many pixels"),
    "noise": (0.1, 100, "Gaussian of so many grey levels"),
    "crop": (0.1, 1, "a part with so much of each side, anywhere"),
}
ROBUSTNESS = (
    *(f"jpeg-{quality}" for quality in (90, 70, 50, 30)),
    *(f"webp-{quality}" for quality in (90, 70, 50)),
    *(f"resize-{factor}" for factor in ("0.25", "0.5", "0.75", "1.5", "2")),
    *(f"blur-{sigma}" for sigma in ("0.5", "1", "2")),
    *(f"noise-{sigma}" for sigma in ("2", "5", "10")),
    *(f"crop-{share}" for share in ("0.75", "0.5")),
    *("screenshot", "social-2048", "social-1080", "social-twice"),
)
"""What a robustness report asks by default, mildest first in each family."""


def parse(name: str) -> Protocol:
    """The protocol of a name. Raises ValueError that lists what there is."""
    if name in NAMED:
        return NAMED[name]
    family, _, number = name.partition("-")
    if family in FAMILIES and re.fullmatch(r"\d{1,3}(\.\d{1,3})?", number):
        low, high, _ = FAMILIES[family]
        if low <= float(number) <= high and (float(number).is_integer() or family not in ("jpeg", "webp")):
            return Protocol(name, ((family, (float(number),)),))
    ranges = [f"{one}-N with N from {low:g} to {high:g}" for one, (low, high, _) in FAMILIES.items()]
    raise ValueError(f"no protocol {name!r}: there are {', '.join([*NAMED, *ranges])}")
