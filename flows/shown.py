"""What a run leaves to be seen in Prefect's pages: artifacts, made from files of the project."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

LINE = re.compile(r"(?P<name>[\w .@-]+): (?P<done>\d+) of (?P<total>\d+)( \S+)?, [\d.]+ a second, \d+ s left")


class Progress:
    """A bar that follows the lines which stages write every ten seconds (dda.io.progress)."""

    def __init__(self) -> None:
        self._bars: dict[str, UUID] = {}

    def update(self, line: str) -> None:
        """Another line of a stage's log."""
        found = LINE.fullmatch(line)
        if not found or not int(found["total"]):
            return
        name, percent = found["name"], 100 * int(found["done"]) / int(found["total"])
        if name in self._bars:
            update_progress_artifact(self._bars[name], percent)
        else:
            made = create_progress_artifact(percent, key=key("progress", name), description=name)
            assert isinstance(made, UUID)  # not awaited: a task is no coroutine
            self._bars[name] = made


def key(*words: str) -> str:
    """A key as Prefect allows it: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


def results(reports: Path) -> None:
    """The table of results, as it is committed."""
    table = reports / "results.md"
    if table.is_file():
        create_markdown_artifact(table.read_text(encoding="utf-8"), key="results", description="held-out results")


def audits(folder: Path) -> None:
    """A row for each audited set: the verdict, and how well the probes tell its sides apart."""
    rows = [audit(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))]
    if rows:
        create_table_artifact(rows, key="audits", description="audits: probes near 0.5 find nothing but generation")


def audit(stamp: dict[str, Any]) -> dict[str, Any]:
    """One audit as a row."""
    probes = {one["probe"]: round(one["auroc"]["value"], 3) for one in stamp.get("probes", [])}
    return {"set": stamp["name"], "passed": stamp["passed"], "pairs": stamp["pairs"], **probes}


def training(detectors: Path) -> None:
    """A link to the MLflow run of each detector, where its store is a server."""
    for path in sorted(detectors.glob("*/run.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        uri, run = facts.get("tracking_uri"), facts.get("run_id")
        if run and uri and uri.startswith("http"):
            name = path.parent.name
            create_link_artifact(run_link(uri, run), f"{name}: run {run[:8]}", key=key("mlflow", name))


def run_link(uri: str, run: str) -> str:
    """The page of a run; MLflow finds its experiment."""
    return f"{uri.rstrip('/')}/#/runs/{run}"


def verdict(told: dict[str, Any]) -> None:
    """The gate's checks, and the reasons of a refusal."""
    checks = [{name: "" if value is None else value for name, value in one.items()} for one in told.get("checks", [])]
    if checks:
        create_table_artifact(checks, key="gate", description="; ".join(told["reasons"]) or told["outcome"])
    lines = [f"# version {told.get('version')}: {told['outcome']}", "", *(f"- {one}" for one in told["reasons"])]
    create_markdown_artifact("\n".join(lines), key="release", description=told["outcome"])
