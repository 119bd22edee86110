"""A table of predictions as arrays, and its parts: by generator, by source, by resolution."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dda.core.draws import draws, numbered
from dda.core.labels import FAKE, REAL
from dda.core.rankings import Ranking, Side, Values

SHARED_REALS = "real"
SHORTER_SIDES_PX = {"below-256": 0, "256-511": 256, "512-1023": 512, "from-1024": 1024}


@dataclass(frozen=True)
class Settings:
    """How numbers are made: draws, and a detector's calibration as its description has it.

    `temperature`: None is 1, an uncalibrated detector. `thresholds`: logits by the rate of false positives that they
    held on the *validation* set ({"0.01": 2.3}); none are ever fitted here. `attacks`: whether fakes are presentation
    attacks, whose kinds are the generators; a summary then has APCER, BPCER and ACER.
    """

    samples: int = 1000
    seed: int = 0
    temperature: float | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    attacks: bool = False


@dataclass(frozen=True)
class Judged:
    """A table's columns (N,). Where an image has no logit, that is not a number, and its cluster -1."""

    labels: Values
    logits: Values
    clusters: Values

    @classmethod
    def of(cls, table: Any) -> "Judged":
        """Of a table. Raises ValueError where an image has two rows, or its logit is infinite."""
        _check(table)
        logits = table["logit"].to_numpy(float, na_value=np.nan)
        known, clusters = ~np.isnan(logits), np.full(len(table), -1)
        clusters[known] = numbered(table["cluster"].to_numpy(str)[known])
        return cls(table["label"].to_numpy(int), logits, clusters)

    @property
    def known(self) -> Values:
        """Which rows have a logit."""
        return self.clusters >= 0

    def draws(self, settings: Settings) -> Iterator[Values]:
        """Counts of the clusters of judged images, (B, clusters) some draws at a time; none where none was judged."""
        if self.known.any():
            yield from draws(self.clusters[self.known], self.labels[self.known], settings.samples, settings.seed)

    def side(self, chosen: Values, label: int) -> Side:
        """The judged images of a label among the chosen rows (N, bool)."""
        mine = chosen & self.known & (self.labels == label)
        return Side.of(self.logits[mine], self.clusters[mine])

    def rankings(self, masks: Mapping[Any, Values]) -> dict[Any, Ranking]:
        """Of sets of rows; those that share their reals share the object, so that these are weighed once."""
        sides: dict[tuple[int, bytes], Side] = {}

        def side(mask: Values, label: int) -> Side:
            key = label, np.packbits(mask & (self.labels == label)).tobytes()
            if key not in sides:
                sides[key] = self.side(mask, label)
            return sides[key]

        return {name: Ranking(side(mask, REAL), side(mask, FAKE)) for name, mask in masks.items()}

    def counts(self, chosen: Values) -> dict[str, int]:
        """How many of the chosen rows were judged or not; judged ones (`n_`) and failed ones add up to `images`."""
        found = {"images": int(chosen.sum()), "failed": int((chosen & ~self.known).sum())}
        for name, label in (("real", REAL), ("fake", FAKE)):
            mine = chosen & (self.labels == label)
            found[f"n_{name}"] = int((mine & self.known).sum())
            found[f"failed_{name}"] = int((mine & ~self.known).sum())
        return found


def _check(table: Any) -> None:
    repeated = table["image_id"][table["image_id"].duplicated()]
    if len(repeated):
        raise ValueError(f"{len(repeated)} rows repeat an image_id, such as {repeated.iloc[0]!r}: it must be unique")
    if "protocol" in table and table["protocol"].nunique() > 1:
        raise ValueError(f"a table of several protocols: {', '.join(sorted(table['protocol'].unique()))}")
    infinite = table["image_id"][np.isinf(table["logit"].to_numpy(float, na_value=np.nan))]
    if len(infinite):
        raise ValueError(f"{len(infinite)} logits are infinite, such as that of {infinite.iloc[0]!r}")


def by_generator(table: Any) -> dict[str, Values]:
    """The rows of each generator: its fakes, and the reals that they are judged against.

    Those are reals of the same `generator`, else those of generator "real", else all.
    """
    labels, generators = table["label"].to_numpy(int), table["generator"].to_numpy(str)
    reals = labels == REAL
    shared = reals & (generators == SHARED_REALS)
    found = {}
    for name in np.unique(generators[labels == FAKE]):
        own = reals & (generators == name)
        against = next((mask for mask in (own, shared) if mask.any()), reals)
        found[str(name)] = against | ((labels == FAKE) & (generators == name))
    return found


def by_source(table: Any) -> dict[str, Values]:
    """The reals of each source; none where a table does not tell."""
    if "source" not in table:
        return {}
    reals, sources = table["label"].to_numpy(int) == REAL, table["source"].to_numpy(str)
    return {str(name): reals & (sources == name) for name in np.unique(sources[reals])}


def by_resolution(table: Any) -> dict[str, Values]:
    """The rows of each bucket of the shorter side in pixels that holds any; `unknown`: images without a size."""
    shorter = table[["width", "height"]].min(axis=1, skipna=False).to_numpy(float, na_value=np.nan)
    names, edges = list(SHORTER_SIDES_PX), list(SHORTER_SIDES_PX.values())
    bucket = np.where(np.isnan(shorter), -1, np.searchsorted(edges, shorter, side="right") - 1)
    masks = {name: bucket == number for number, name in enumerate(names)} | {"unknown": bucket == -1}
    return {name: mask for name, mask in masks.items() if mask.any()}
