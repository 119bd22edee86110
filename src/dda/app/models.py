"""The versions of the registered model, the newest first.    dda models"""

import json
import time
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dda.app import version_facts
from dda.io import page
from dda.io.registry import Registry, Version
from dda.params import Params

GATE = "gate.outcome"
COLUMNS = ("version", "alias", "registered", "detector", "VAEs")


def run(params: Params, as_json: bool) -> None:
    """Print a line for each version, or one JSON document. Raises SetupError where the store is away."""
    promote = params.promote
    found = [
        told(version, list(promote.required), promote.protocol) for version in Registry.open(promote.model).versions()
    ]
    if as_json:
        print(json.dumps({"model": promote.model, "versions": found}, indent=2))
    elif not found:
        print(f"no version of {promote.model} yet: make one by `dda register`")
    else:
        console = Console(width=None if Console().is_terminal else 150)
        console.print(overview(found, promote.model, promote.protocol))


def told(version: Version, required: list[str], protocol: str) -> dict[str, Any]:
    """A version as plain values, with its scores on the required benchmarks; None where it has none."""
    tags = version.tags
    return {
        "version": version.number,
        "aliases": list(version.aliases),
        "registered": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(version.created_s)),
        "detector": tags.get("dda.detector"),
        "digest": version.digest,
        "vaes": version_facts.names_of(tags.get("dda.vaes", "")),
        "scores": {name: score(version, f"{name}/{protocol}/score") for name in required},
        "gate": tags.get(GATE),
        "commit": tags.get("dda.commit"),
        "run_id": version.run_id,
    }


def score(version: Version, name: str) -> dict[str, float | None] | None:
    """A number of a version with its interval, as reports have it; None where it has no such number."""
    if name not in version.metrics:
        return None
    ends = {end: version.metrics.get(f"{name}_{end}") for end in ("low", "high")}
    return {"value": version.metrics[name], **ends}


def overview(found: list[dict[str, Any]], model: str, protocol: str) -> Table:
    """A line for each version."""
    required = list(found[0]["scores"])
    table = Table(title=f"{model}, scores under {protocol} with 95 % intervals", title_justify="left")
    for name in (*COLUMNS, *required, "gate", "commit"):
        table.add_column(name)
    for one in found:
        first = [str(one["version"]), ", ".join(one["aliases"]), one["registered"][:16].replace("T", " ")]
        scores = [page.shown(one["scores"][name]) if one["scores"][name] else "-" for name in required]
        last = [one["gate"] or "-", commit(one["commit"] or "-")]
        cells = [*first, one["detector"] or "-", ", ".join(one["vaes"]) or "-", *scores, *last]
        table.add_row(*map(escape, cells))
    return table


def commit(whole: str) -> str:
    """A commit, short; `-dirty` is kept."""
    name, dirty, _ = whole.partition("-dirty")
    return f"{name[:10]}{dirty}"
