"""Randomness that depends on a seed and on names only: never on order, batch, machine or process."""

import hashlib

import numpy as np


def fraction(seed: int, *names: str) -> float:
    """A number in [0, 1), evenly spread over names, the same in every process."""
    return (_digest(seed, names) >> 11) / 2**53  # all 53 bits of a float: never rounded up to 1


def generator(seed: int, *names: str) -> np.random.Generator:
    """A numpy generator of its own for these names, such as an image id and the step that draws."""
    return np.random.default_rng(_digest(seed, names))


def _digest(seed: int, names: tuple[str, ...]) -> int:
    text = "\x1f".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
