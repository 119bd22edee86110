"""Which photo trains and which one judges: decided by the hash of its group, so that adding photos moves none."""

from collections.abc import Mapping

from dda.core.labels import SPLITS
from dda.core.seeds import fraction


def split_of(group: str, seed: int, fractions: Mapping[str, float]) -> str:
    """The split (train, val or test) of every photo of a group. `fractions` give each split's share and sum to 1."""
    position = fraction(seed, "split", group)
    for split in SPLITS[:-1]:
        position -= fractions[split]
        if position < 0:
            return split
    return SPLITS[-1]


def shard_of(image_id: str, shards: int) -> int:
    """The number of the shard an image belongs to, by the hash of its id: one more photo touches one shard."""
    return int(fraction(0, "shard", image_id) * shards)
