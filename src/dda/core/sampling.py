"""In which order a run sees its pairs, as a function of the seed: the same for any number of processes and workers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dda.core.seeds import generator


class Draw(NamedTuple):
    """One time that a pair is seen: which pair, in which epoch, for the how-manieth time of that epoch."""

    pair: int
    epoch: int
    repeat: int


@dataclass(frozen=True)
class Plan:
    """A run over `n_pairs` pairs: epochs of updates, of micro-batches, of draws."""

    n_pairs: int
    epochs: int
    draws_per_pair: int
    batch_pairs: int
    micro_batch_pairs: int
    seed: int

    @property
    def updates_per_epoch(self) -> int:
        """How many updates an epoch has; the last one may be smaller."""
        return -(-self.n_pairs * self.draws_per_pair // self.batch_pairs)

    @property
    def updates(self) -> int:
        """How many updates the run has."""
        return self.epochs * self.updates_per_epoch

    def update(self, step: int) -> list[Draw]:
        """The draws of one update, in their order."""
        epoch, place = divmod(step, self.updates_per_epoch)
        order = shuffled(self.n_pairs * self.draws_per_pair, self.seed, epoch)
        order = order[place * self.batch_pairs : (place + 1) * self.batch_pairs]
        return [Draw(int(one) // self.draws_per_pair, epoch, int(one) % self.draws_per_pair) for one in order]

    def micro_batches(self, first_step: int, process: int, processes: int) -> Iterator[list[Draw]]:
        """What one of several processes works on from an update on, to the end of the run.

        Each update's micro-batches are dealt out in turn, and every process gets equally many: one that is left
        without work gets an empty micro-batch.
        """
        for step in range(first_step, self.updates):
            parts = self.parts(step, processes)
            yield from parts[process::processes]

    def parts(self, step: int, processes: int) -> Sequence[list[Draw]]:
        """An update's micro-batches, filled up with empty ones to a multiple of the processes."""
        draws, size = self.update(step), self.micro_batch_pairs
        parts = [draws[first : first + size] for first in range(0, len(draws), size)]
        return parts + [[] for _ in range(-len(parts) % processes)]


@lru_cache(maxsize=2)
def shuffled(n_draws: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """All draws of an epoch in the order in which they are seen; the last two epochs' orders are kept."""
    return generator(seed, "epoch", str(epoch)).permutation(n_draws)
