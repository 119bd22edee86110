"""The challenger becomes champion if the gate lets it pass, and if it answers once it is there.    dda promote"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dda.app import champions, entrants
from dda.app.champions import CHAMPION, PROMOTE, PROMOTED, REFUSED, UNCHANGED
from dda.app.entrants import Bench, Evaluate
from dda.core import gate
from dda.core.gate import Check, Verdict
from dda.io import promotions, shards
from dda.io.registry import Registry, Version
from dda.params import Params


@dataclass(frozen=True)
class Asked:
    """Which version, by number or alias; `dry`: only say what the gate would."""

    version: str
    dry: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of it; `champion` is the one before, by number."""

    outcome: str
    version: int
    champion: int | None
    reasons: list[str]
    checks: list[Check]

    @property
    def succeeded(self) -> bool:
        """Whether the version that was named is champion now."""
        return self.outcome in (PROMOTED, UNCHANGED)

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def run(params: Params, asked: Asked, evaluate: Evaluate, as_json: bool) -> bool:
    """Judge, promote, prove; print what came of it. Whether that version is champion now.

    `evaluate` is the stage of that name, for benchmarks that both have to answer again. Raises SetupError where the
    registry is away, where it has no such version, or where another promotion is at work.
    """
    opened = Registry.open(params.promote.model)
    if asked.dry:
        found = promoted(params, opened, asked, evaluate)
    else:
        with opened.locked(f"promote {asked.version}"):
            found = promoted(params, opened, asked, evaluate)
    if as_json:
        print(json.dumps(found.document(), indent=2))
    else:
        show(found, params.promote.model, asked.dry)
    return found.succeeded or (asked.dry and not found.reasons)


def promoted(params: Params, registry: Registry, asked: Asked, evaluate: Evaluate) -> Outcome:
    """All of it, by whoever holds the lock."""
    log = promotions.events(registry) if asked.dry else champions.settle(registry)
    version, champion = registry.version(asked.version), registry.alias(CHAMPION)
    if champion and champion.number == version.number:
        return Outcome(UNCHANGED, version.number, champion.number, [], [])
    before = champion.number if champion else None
    if not asked.version.isdigit() and champions.was_taken_back(log, str(version.number)):
        reason = f"version {version.number} was taken back: only `dda promote {version.number}` brings it again"
        return Outcome(REFUSED, version.number, before, [reason], [])
    Path("artifacts").mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="promotion-", dir="artifacts") as folder:
        bench = Bench(params, registry, Path(folder), evaluate)
        verdict, evidence = judged(bench, version, champion, asked.dry)
    outcome = PROMOTED if verdict.passed else REFUSED
    found = Outcome(outcome, version.number, before, verdict.reasons + bench.notes, list(verdict.checks))
    return found if asked.dry else decided(registry, version, found, evidence)


def judged(bench: Bench, version: Version, champion: Version | None, dry: bool) -> tuple[Verdict, str]:
    """The gate's verdict, and what stands for all that it was given; both are judged again where they must be."""
    required = bench.params.promote.required
    challenger, serving = (bench.entrant(one) if one else None for one in (version, champion))
    assert challenger is not None
    if champion and serving and (again := entrants.unlike(challenger, serving, required)):
        changed = bench.judge_again([version, champion], again)
        challenger, serving = bench.entrant(version), bench.entrant(champion)
        if not dry:
            for one in changed:
                bench.keep(one)
    settings = bench.params.promote
    limits = settings.max_false_positive_rate, settings.max_calibration_error
    rules = gate.Rules(required, *limits, settings.bootstrap_samples, settings.seed)
    given = [sorted(one.digests.items()) if one else None for one in (challenger, serving)]
    evidence = shards.fingerprint(version.digest, champion.digest if champion else None, given, settings.model_dump())
    return gate.decide(challenger, serving, rules), evidence


def decided(registry: Registry, version: Version, found: Outcome, evidence: str) -> Outcome:
    """Write the verdict down, with the version and in the log; move the alias where it passed, and prove it."""
    facts = {
        "version": str(found.version),
        "champion": "" if found.champion is None else str(found.champion),
        "evidence": evidence,
    }
    if found.outcome == REFUSED and any(
        event.outcome == REFUSED and event.facts == facts for event in promotions.events(registry)
    ):
        return found  # said before, of the same evidence
    event = promotions.begin(registry, PROMOTE, facts)
    if found.outcome == PROMOTED:
        registry.move(CHAMPION, version)
        outcome, told = champions.prove(registry, facts["champion"])
        found = replace(found, outcome=outcome, reasons=found.reasons + told)
    promotions.finish(registry, event, found.outcome, found.document())
    champions.note(registry, facts["version"], found.outcome, found.reasons)
    return found


def show(found: Outcome, model: str, dry: bool) -> None:
    """A line for each check, and a sentence."""
    console = Console(width=None if Console().is_terminal else 150)
    if found.checks:
        table = Table(title=f"{model} {found.version} against {against(found)}", title_justify="left")
        for name in ("", "check", "benchmark", "what was found"):
            table.add_column(name)
        for one in found.checks:
            mark = "[green]passed[/]" if one.passed else "[red]refused[/]"
            table.add_row(mark, one.check, one.benchmark or "", escape(one.reason))
        console.print(table)
    for reason in found.reasons:
        console.print(f"- {reason}", highlight=False, markup=False)
    console.print(sentence(found, model, dry), highlight=False, markup=False)


def against(found: Outcome) -> str:
    """Whom it challenges, in words."""
    return "nobody: there is no champion yet" if found.champion is None else f"the champion {found.champion}"


def sentence(found: Outcome, model: str, dry: bool) -> str:
    """What came of it, in a sentence."""
    name = f"{model} version {found.version}"
    if found.outcome == UNCHANGED:
        return f"{name} is champion already: nothing to do"
    if dry:
        return f"{name} would be {found.outcome}; nothing was changed"
    before = "" if found.champion is None else f", in place of version {found.champion}"
    if found.outcome == PROMOTED:
        return f"{name} is champion now{before}: models:/{model}@{CHAMPION}; back by `dda rollback`"
    if found.outcome == REFUSED:
        return f"{name} is refused; {'there is still no champion' if found.champion is None else 'the champion stays'}"
    return f"{name} did not answer as it should, and was taken back; champion: {found.champion or 'none'}"
