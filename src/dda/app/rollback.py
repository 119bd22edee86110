"""The champion before this one serves again.    dda rollback"""

import json

from dda.app import champions
from dda.app.champions import CHAMPION, ROLLBACK, ROLLED_BACK
from dda.core.errors import SetupError
from dda.io import promotions
from dda.io.registry import Registry
from dda.params import Params


def run(params: Params, as_json: bool) -> None:
    """Move the alias back to whom the log has before the present champion, in one step, and print both.

    Raises SetupError where there is no champion, none before it, or another promotion is at work.
    """
    opened = Registry.open(params.promote.model)
    with opened.locked("rollback"):
        version, to = moved_back(opened)
    if as_json:
        print(json.dumps({"outcome": ROLLED_BACK, "version": int(version), "champion": int(to)}, indent=2))
        return
    model = params.promote.model
    print(f"{model} version {to} is champion again, in place of version {version}: models:/{model}@{CHAMPION}")


def moved_back(registry: Registry) -> tuple[str, str]:
    """Whom it was taken from, and who has it now; by whoever holds the lock."""
    log, now = champions.settle(registry), champions.serving(registry)
    if not now:
        raise SetupError("there is no champion to take back: `dda models` lists what is registered")
    before = champions.predecessor(log, now)
    if not before:
        told = "the first champion" if before == "" else "champion by nobody's promotion that the log knows"
        raise SetupError(f"version {now} is {told}: name another one by `dda promote VERSION`")
    event = promotions.begin(registry, ROLLBACK, {"version": now, "champion": before})
    target = registry.version(before)
    registry.move(CHAMPION, target)
    promotions.finish(registry, event, ROLLED_BACK, {"version": now, "champion": before})
    champions.note(registry, now, ROLLED_BACK, ["taken back by `dda rollback`"])
    return now, before
