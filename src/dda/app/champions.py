"""Who was champion when: read from the log of promotions, and a promotion that was interrupted brought to an end."""

import time
from collections.abc import Sequence

from dda.app import smoke
from dda.core.errors import SetupError
from dda.io import promotions
from dda.io.promotions import Event
from dda.io.registry import Registry

CHAMPION, CHALLENGER = "champion", "challenger"
PROMOTE, ROLLBACK = "promote", "rollback"
PROMOTED, REFUSED, UNCHANGED = "promoted", "refused", "unchanged"
ROLLED_BACK, INTERRUPTED = "rolled back", "interrupted"
MAX_REASONS = 5000  # characters of a tag that people read


def settle(registry: Registry) -> list[Event]:
    """Bring every move of the alias that somebody began and did not finish to an end; the log as it is then.

    The alias itself moves in one step: it is either where it was, and nothing has happened, or where it should go, and
    the version there has yet to prove that it answers.
    """
    for event in promotions.events(registry):
        if event.outcome is None:
            _settle(registry, event)
    return promotions.events(registry)


def _settle(registry: Registry, event: Event) -> None:
    now, wanted, before = serving(registry), event.facts["version"], event.facts["champion"]
    if event.action == ROLLBACK or now != wanted or now == before:
        moved = event.action == ROLLBACK and now == before
        promotions.finish(registry, event.id, ROLLED_BACK if moved else INTERRUPTED, {"champion": now})
        return
    outcome, told = prove(registry, before)
    promotions.finish(registry, event.id, outcome, {"champion": serving(registry), "reasons": told, "settled": True})
    note(registry, wanted, outcome, told)


def note(registry: Registry, version: str, outcome: str, reasons: Sequence[str]) -> None:
    """Let a version say itself what was decided about it last."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    told = "; ".join(reasons) or "every check passed"
    tags = {"gate.outcome": outcome, "gate.reasons": told[:MAX_REASONS], "gate.moment": moment}
    registry.tell(registry.version(version), tags)


def serving(registry: Registry) -> str:
    """The number of the champion; empty where there is none."""
    found = registry.alias(CHAMPION)
    return str(found.number) if found else ""


def prove(registry: Registry, before: str) -> tuple[str, list[str]]:
    """Load what is champion now and let it answer; where it cannot, the alias goes back to `before` (or away)."""
    try:
        smoke.check(registry, CHAMPION)
    except SetupError as error:
        if before:
            registry.move(CHAMPION, registry.version(before))
        else:
            registry.remove(CHAMPION)
        return ROLLED_BACK, [str(error)]
    return PROMOTED, []


def predecessor(log: Sequence[Event], version: str) -> str | None:
    """Who was champion before this one was promoted; empty if nobody was, None where the log has no such promotion."""
    moves = [one for one in log if one.outcome == PROMOTED and one.facts["version"] == version]
    return moves[-1].facts["champion"] if moves else None


def was_taken_back(log: Sequence[Event], version: str) -> bool:
    """Whether the last thing that happened to this version as a champion was a rollback from it."""
    moves = [one.action for one in log if one.outcome in (PROMOTED, ROLLED_BACK) and one.facts["version"] == version]
    return bool(moves) and moves[-1] == ROLLBACK
