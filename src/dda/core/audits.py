"""What an audit finds in two classes of images: a verdict for each probe, the facts behind it, and the spectral gap."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from dda.core import probes
from dda.core.metrics import Estimate
from dda.core.probes import Facts, Pixels, Values

PROBES = ("file_facts", "file_size", "pixel_statistics", "block_grid", "spectrum")
MAX_TOLD = 3
Item = TypeVar("Item")


@dataclass(frozen=True)
class Evidence:
    """What the probes see of one image: facts of its file, and numbers for each of the other probes."""

    file_facts: Facts
    file_size: Values
    pixel_statistics: Values
    block_grid: Values
    spectrum: Values


@dataclass(frozen=True)
class Side:
    """One class: the evidence of each of its images, and the groups that these belong to."""

    evidence: Sequence[Evidence]
    groups: Sequence[str]

    def values(self, name: str) -> Values:
        """The numbers of one probe, (N, K); not for file facts, which become numbers only beside the other class."""
        return np.array([getattr(one, name) for one in self.evidence])

    def facts(self) -> list[Facts]:
        """The facts of each file."""
        return [one.file_facts for one in self.evidence]


def evidence(file_facts: Facts, n_bytes: int, pixels: Pixels) -> Evidence:
    """The evidence of an image: facts and size of its file, and its decoded RGB pixels, uint8 (H, W, 3).

    Raises ValueError for an image of less than 9 pixels a side.
    """
    size = np.array([np.log(n_bytes), n_bytes / pixels[..., 0].size])
    seen = probes.pixel_statistics(pixels), probes.block_grid(pixels), probes.radial_spectrum(pixels)
    return Evidence(file_facts, size, *seen)


def evenly(items: Sequence[Item], at_most: int) -> list[Item]:
    """So many items at most, evenly taken."""
    taken = min(len(items), at_most)
    return [items[number * len(items) // taken] for number in range(taken)]


def probe_all(real: Side, fake: Side, samples: int, seed: int) -> dict[str, Estimate]:
    """The AUROC of every probe, with its interval."""
    return {name: _probe(name, real, fake, samples, seed) for name in PROBES}


def _probe(name: str, real: Side, fake: Side, samples: int, seed: int) -> Estimate:
    sides = (real.values(name), fake.values(name)) if name != "file_facts" else _encoded(real.facts(), fake.facts())
    return probes.probe(*sides, (real.groups, fake.groups), samples, seed)


def _encoded(real: Sequence[Facts], fake: Sequence[Facts]) -> tuple[Values, Values]:
    together = probes.encoded([*real, *fake])
    return together[: len(real)], together[len(real) :]


def verdicts(
    found: Mapping[str, Estimate], limits: Mapping[str, float], before: Mapping[str, Estimate] | None = None
) -> list[dict[str, Any]]:
    """A verdict for each probe; `before` tells of unaligned fakes.

    It fails where its AUROC is above the limit and its interval above chance: of few images, chance alone makes 0.6.
    """
    return [
        {
            "probe": name,
            "limit": limits[name],
            "passed": round(estimate.value, 3) <= limits[name] or estimate.low <= 0.5,
            "auroc": asdict(estimate),
            "before": asdict(before[name]) if before else None,
        }
        for name, estimate in found.items()
    ]


def sentences(judged: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each probe above its limit."""
    return [
        f"{one['probe']} tells real from fake: AUROC {Estimate(**one['auroc'])}, limit {one['limit']:g}"
        for one in judged
        if not one["passed"]
    ]


def biases(real: Side, fake: Side, samples: int, seed: int) -> list[dict[str, Any]]:
    """Which facts of the files tell the classes apart, each alone, the worst first, with what is true of each class.

    Only those whose interval lies above chance.
    """
    found = []
    for key in real.facts()[0]:
        values = [[{key: facts[key]} for facts in side.facts()] for side in (real, fake)]
        if values[0] == values[1]:
            continue
        estimate = probes.probe(*_encoded(*values), (real.groups, fake.groups), samples, seed)
        if estimate.low > 0.5:
            told = [told_of([facts[key] for facts in side]) for side in values]
            found.append({"fact": key, "auroc": asdict(estimate), "real": told[0], "fake": told[1]})
    return sorted(found, key=lambda bias: -bias["auroc"]["value"])


def told_of(values: Sequence[Any]) -> str:
    """The most frequent values with their shares, such as `JPEG 97 %, PNG 3 %`."""
    common = Counter(values).most_common()
    told = [f"{'none' if value is None else value} {count / len(values):.0%}" for value, count in common[:MAX_TOLD]]
    more = len(common) - MAX_TOLD
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


def spectra(**sides: Side) -> dict[str, dict[str, list[float]]]:
    """The radial spectrum of each side, in dB for each ring, by its name: mean, and what nine of ten images exceed or
    stay below (`low`, `high`).
    """
    found = {}
    for name, side in sides.items():
        values = side.values("spectrum")
        low, high = np.quantile(values, [0.1, 0.9], axis=0)
        found[name] = {"mean": _rounded(values.mean(axis=0)), "low": _rounded(low), "high": _rounded(high)}
    return found


def gaps(real: Side, **fakes: Side) -> dict[str, list[float]]:
    """The spectral gap, real minus fake in dB, for each ring (24, evenly to half a cycle per pixel)."""
    own = real.values("spectrum")
    return {name: _rounded(probes.spectral_gap(own, side.values("spectrum"))) for name, side in fakes.items()}


def _rounded(values: Values) -> list[float]:
    return [round(float(value), 3) for value in values]
