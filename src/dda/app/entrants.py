"""Registered versions as the gate sees them: predictions on the same images, calibration, audits."""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dda.core.errors import SetupError
from dda.core.gate import Entrant
from dda.io import predictions, shards, tables
from dda.io.registry import Registry, Version
from dda.params import Params

Evaluate = Callable[[Params, str, str], None]
"""The stage `evaluate`: parameters, a detector's name, a benchmark's."""
AUDITS = "lineage/audit"
NO_AUDIT = "nothing was kept of its audit"
NOT_PASSED = "the audit did not pass"
OTHER_PAIRS = "the audit that was kept is of other pairs"


@dataclass
class Bench:
    """Where versions are laid out to be judged: a folder with their detectors and predictions, and what was said."""

    params: Params
    registry: Registry
    folder: Path
    evaluate: Evaluate
    notes: list[str] = field(default_factory=list)

    def entrant(self, version: Version) -> Entrant:
        """A version with the predictions that it was registered with, or with those of `judge_again`."""
        name = name_of(version)
        self._take(version, "predictions", self._predictions / name)
        description = self.description(version)
        found = {benchmark: self._table(name, benchmark) for benchmark in self.params.promote.required}
        held = {benchmark: table for benchmark, table in found.items() if table is not None}
        return Entrant(
            name,
            held,
            {benchmark: digest(table) for benchmark, table in held.items()},
            description["calibration"]["temperature"],
            self._audits(version, description),
        )

    def description(self, version: Version) -> dict[str, Any]:
        """A version's detector.json."""
        path = self.registry.fetch(version, "detector/detector.json", self.folder / "descriptions" / name_of(version))
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found

    def judge_again(self, versions: Sequence[Version], benchmarks: Iterable[str]) -> list[Version]:
        """Let each version answer these benchmarks as they are here now; those of which anything was new.

        What is known of the same bytes is not asked again. A benchmark that is not here stays as it was, and is noted.
        """
        changed: dict[int, Version] = {}
        for benchmark in benchmarks:
            for version in versions:
                try:
                    self._judge(version, benchmark)
                except SetupError as error:
                    self.notes.append(f"{benchmark} could not be judged again: {error}")
                    break
                changed[version.number] = version
        return list(changed.values())

    def keep(self, version: Version) -> None:
        """Store a version's new predictions with it."""
        self.registry.attach(version, self._predictions / name_of(version), "predictions")

    @property
    def _predictions(self) -> Path:
        return self.folder / "predictions"

    def _judge(self, version: Version, benchmark: str) -> None:
        places = {"detectors": self.folder / "detectors", "predictions": self._predictions}
        places |= {"checkpoints": self.folder / "checkpoints"}
        paths = self.params.paths.model_copy(update=places)
        self._take(version, "detector", places["detectors"] / name_of(version))
        self.evaluate(self.params.model_copy(update={"paths": paths}), name_of(version), benchmark)
        shutil.rmtree(self._predictions / name_of(version) / "worst", ignore_errors=True)

    def _take(self, version: Version, name: str, folder: Path) -> None:
        """What a version holds by that name as a folder, once; an empty one where it holds nothing."""
        if folder.is_dir():
            return
        if name != "detector" and not self.registry.holds(version, name):
            folder.mkdir(parents=True)
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.folder) as scratch:
            self.registry.fetch(version, name, Path(scratch)).rename(folder)

    def _table(self, name: str, benchmark: str) -> Any:
        """A version's predictions in the gate's protocol; None where there are none."""
        path = predictions.path_of(self._predictions, name, benchmark)
        if not path.is_file():
            return None
        table = predictions.selected(tables.read(path), self.params.promote.protocol)
        return table.reset_index(drop=True) if len(table) else None

    def _audits(self, version: Version, description: Mapping[str, Any]) -> dict[str, str]:
        """For each set that it learnt from, what is wrong with the audit that was kept of it."""
        folder = self.folder / "audits" / name_of(version)
        self._take(version, AUDITS, folder)
        stamps = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.rglob("*.json"))}
        return {
            name: wrong_with(stamps.get(name), data["pairs_sha256"])
            for name, data in description.get("data", {}).items()
        }


def wrong_with(stamp: Mapping[str, Any] | None, pairs_digest: str) -> str:
    """What is wrong with an audit of these pairs; empty where it passed."""
    if stamp is None:
        return NO_AUDIT
    if stamp.get("digest") != pairs_digest:
        return OTHER_PAIRS
    return "" if stamp.get("passed") is True else NOT_PASSED


def name_of(version: Version) -> str:
    """A version in words, which is also the name of its folder."""
    return f"version-{version.number}"


def digest(table: Any) -> str:
    """Stands for the images of a table and how they were shown."""
    return shards.fingerprint(predictions.data_digest(table), sorted(table["views"].unique()))


def unlike(challenger: Entrant, champion: Entrant, required: Iterable[str]) -> list[str]:
    """Benchmarks on which one of both was not judged, or both on different images."""
    return [
        name
        for name in required
        if name not in challenger.digests or challenger.digests[name] != champion.digests.get(name)
    ]
