"""The promotion gate: whether a challenger is really better than the champion, and if not, each reason why.

Both are judged by their predictions on the same images. A check that needs what is not there fails: nothing is
promoted for want of evidence.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dda.core import comparison, scores
from dda.core.judgements import Settings
from dda.core.rankings import Values
from dda.core.replicates import number

NO_REALS = "no required benchmark holds real photos, so that nothing says how many of them it would call fake"


@dataclass(frozen=True)
class Rules:
    """What is asked; `required` has the smallest score (core.scores.benchmark_score) of each benchmark."""

    required: Mapping[str, float]
    max_false_positive_rate: float
    max_calibration_error: float
    samples: int
    seed: int


@dataclass(frozen=True)
class Entrant:
    """A detector that is judged.

    `tables`: its predictions by benchmark, of one protocol (core.scores), `digests`: what stands for the images of each
    and how they were shown. `temperature` as its description has it. `audits`: for each set of pairs that it learnt
    from, what is wrong with its audit; empty where it passed.
    """

    name: str
    tables: Mapping[str, Any]
    digests: Mapping[str, str]
    temperature: float | None
    audits: Mapping[str, str]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `benchmark` is None where it is about all of them. `reason` is a sentence."""

    check: str
    benchmark: str | None
    passed: bool
    value: float | None
    limit: float | None
    reason: str


@dataclass(frozen=True)
class Difference:
    """Challenger minus champion on one benchmark: scores of both, and the difference in each draw (B,)."""

    challenger: float
    champion: float
    drawn: Values

    @property
    def value(self) -> float:
        """The difference of the scores."""
        return self.challenger - self.champion


@dataclass(frozen=True)
class Verdict:
    """What the gate says: passed if every check did."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether the challenger may become champion."""
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """A sentence for each check that failed."""
        return [check.reason for check in self.checks if not check.passed]


def decide(challenger: Entrant, champion: Entrant | None, rules: Rules) -> Verdict:
    """Judge a challenger, alone or against the champion that serves now."""
    checks = [*_audits(challenger)]
    for benchmark, floor in rules.required.items():
        checks += [*_alone(challenger, benchmark, floor, rules)]
    checks += [*_false_positives(challenger, rules)]
    if champion:
        checks += [*_against(challenger, champion, rules)]
    return Verdict(tuple(checks))


def _audits(challenger: Entrant) -> Iterator[Check]:
    if not challenger.audits:
        yield Check("audit", None, False, None, None, "nothing says on which audited pairs it was trained")
    for name, wrong in challenger.audits.items():
        reason = f"the audit of {name} passed" if not wrong else f"the pairs of {name} that it learnt from: {wrong}"
        yield Check("audit", None, not wrong, None, None, reason)


def _alone(entrant: Entrant, benchmark: str, floor: float, rules: Rules) -> Iterator[Check]:
    """What one benchmark says of a detector by itself."""
    table = entrant.tables.get(benchmark)
    n_judged = 0 if table is None else int(table["logit"].notna().sum())
    if table is None or not n_judged:
        told = f"{entrant.name} was not judged on {benchmark}, which is required: `dvc repro`, then `dda register`"
        yield Check("present", benchmark, False, None, None, told)
        return
    told = f"{entrant.name} was judged on {n_judged} of {len(table)} images of {benchmark}"
    yield Check("present", benchmark, True, float(n_judged), float(len(table)), told)
    summary = scores.summarise(table, Settings(samples=1, temperature=entrant.temperature))
    score = scores.benchmark_score(table, Settings(samples=1))
    value = score["value"] if score else None
    yield _limited("floor", benchmark, (value, floor, 1), "score")
    if summary["n_real"] and summary["n_fake"]:
        error = summary["ece"]["value"]
        yield _limited("calibration", benchmark, (error, rules.max_calibration_error, -1), "calibration error")


def _limited(check: str, benchmark: str, found: tuple[float | None, float, int], what: str) -> Check:
    """A value with its limit; the last of `found` is 1 for a smallest, -1 for a largest value that is allowed."""
    value, limit, sign = found
    if value is None:
        return Check(check, benchmark, False, None, limit, f"there is no {what} on {benchmark}")
    passed = sign * (value - limit) >= 0
    told = f"{what} {value:.3f} on {benchmark}, {'at least' if sign > 0 else 'at most'} {limit:.3f} is asked"
    return Check(check, benchmark, passed, value, limit, told)


def _false_positives(entrant: Entrant, rules: Rules) -> Iterator[Check]:
    """The share of real photos called fake, on each benchmark that has any."""
    seen = False
    for benchmark in rules.required:
        table = entrant.tables.get(benchmark)
        real = None if table is None else scores.summarise(table, Settings(samples=1))["accuracy_real"]
        if real is not None:
            seen = True
            found = (1 - real["value"], rules.max_false_positive_rate, -1)
            yield _limited("false positives", benchmark, found, "share of real photos called fake")
    if not seen:
        yield Check("false positives", None, False, None, rules.max_false_positive_rate, NO_REALS)


def _against(challenger: Entrant, champion: Entrant, rules: Rules) -> Iterator[Check]:
    """Whether the challenger is better on average, and nowhere worse by more than chance."""
    differences: dict[str, Difference] = {}
    for place, benchmark in enumerate(rules.required):
        if benchmark in challenger.tables:
            apart = _apart(challenger, champion, benchmark)
            yield apart or Check("same images", benchmark, True, None, None, f"both were judged on {benchmark} alike")
            if not apart:
                settings = Settings(rules.samples, rules.seed + place)
                found = _difference(challenger.tables[benchmark], champion.tables[benchmark], settings)
                if found is not None:
                    differences[benchmark] = found
    if differences:
        yield _worst(differences)
    yield _mean(differences, rules)


def _apart(challenger: Entrant, champion: Entrant, benchmark: str) -> Check | None:
    """Why two detectors cannot be compared on a benchmark; None where they can."""
    if benchmark not in champion.tables:
        told = f"the champion {champion.name} was not judged on {benchmark}, so that nothing can be compared"
    elif challenger.digests[benchmark] != champion.digests[benchmark]:
        told = f"{challenger.name} and the champion {champion.name} were judged on different images of {benchmark}"
    else:
        _, counts = comparison.joined(challenger.tables[benchmark], champion.tables[benchmark])
        lost = counts["unreadable_first"]
        if not lost:
            return None
        told = f"{challenger.name} gives no answer for {lost} images of {benchmark} that the champion answers"
    return Check("same images", benchmark, False, None, None, told)


def _difference(challenger: Any, champion: Any, settings: Settings) -> Difference | None:
    """By the images that both judged, under the same draws; None without a fake."""
    both, _ = comparison.joined(challenger, champion)
    names = both[["image_id"]]
    found = [scores.benchmark_draws(names.merge(table, on="image_id"), settings) for table in (challenger, champion)]
    if found[0] is None or found[1] is None:
        return None
    (first, first_drawn), (second, second_drawn) = found[0], found[1]
    return Difference(first, second, first_drawn - second_drawn)


def _worst(differences: Mapping[str, Difference]) -> Check:
    """The benchmark on which it loses most: refused where the whole 95 % interval of the loss is one."""
    benchmark = min(differences, key=lambda name: differences[name].value)
    found = differences[benchmark]
    ends = number(found.value, found.drawn) or {}
    passed = ends["high"] is not None and ends["high"] >= 0
    told = f"at worst, on {benchmark}, it changes the score from {found.champion:.3f} by {_shown(ends)}"
    reason = told if passed else f"{told}: worse by more than chance explains"
    return Check("worst", benchmark, passed, found.value, 0.0, reason)


def _mean(differences: Mapping[str, Difference], rules: Rules) -> Check:
    """The mean difference over all required benchmarks: its whole 95 % interval must lie above 0.

    Benchmarks are drawn apart from each other, so draws of the mean are means of their draws.
    """
    missing = [name for name in rules.required if name not in differences]
    if missing:
        told = f"the mean difference is not known, for want of {', '.join(missing)}"
        return Check("mean", None, False, None, 0.0, told)
    value = float(np.mean([found.value for found in differences.values()]))
    ends = number(value, np.mean([found.drawn for found in differences.values()], axis=0)) or {}
    passed = ends["low"] is not None and ends["low"] > 0
    told = f"on average over {len(differences)} benchmarks it changes the score by {_shown(ends)}"
    return Check("mean", None, passed, value, 0.0, told if passed else f"{told}: not better than chance explains")


def _shown(ends: Mapping[str, Any]) -> str:
    if ends["low"] is None:
        return f"{ends['value']:+.3f}"
    return f"{ends['value']:+.3f} [{ends['low']:+.3f}, {ends['high']:+.3f}]"
