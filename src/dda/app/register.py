"""A finished detector -> a version of the registered model.    dda register

The same detector is the same version, however often it is registered: what has come to be known of it is added.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dda.app import smoke, version_facts
from dda.app.champions import CHALLENGER, CHAMPION
from dda.app.version_facts import Made
from dda.core import lineage, sets
from dda.core.errors import SetupError
from dda.io import detectors, dvc_records, packing, predictions, shards
from dda.io.candidates import Candidate
from dda.io.detecting import Detector
from dda.io.registry import Registry, Version
from dda.params import Params

REPORT = "report"


@dataclass(frozen=True)
class Job:
    """Which detector is to be registered, by its name or its folder, and where its parameters stand."""

    params: Params
    params_file: Path
    detector: str

    @cached_property
    def folder(self) -> Path:
        """The detector's folder."""
        named = Path(self.detector)
        return named if (named / detectors.DESCRIPTION).is_file() else self.params.paths.detectors / self.detector

    @cached_property
    def lock(self) -> dict[str, Any]:
        """What DVC has recorded."""
        return dvc_records.lock()

    @cached_property
    def out_of_date(self) -> set[str]:
        """Stages that DVC would run again; none where it has recorded nothing."""
        return dvc_records.out_of_date() if self.lock else set()

    @cached_property
    def stage(self) -> str | None:
        """The stage that made the detector; None of one that was imported."""
        return lineage.maker(self.lock, self.folder.as_posix())

    @cached_property
    def description(self) -> dict[str, Any]:
        """detector.json. Raises SetupError where the detector has no weights of its own."""
        found = detectors.described(self.folder)
        if "kind" in found:
            told = f"{self.folder} holds a detector of kind {found['kind']!r}, which has no weights of its own"
            raise SetupError(f"{told}: register one that `dda train` has trained or `dda import-checkpoint` has taken")
        return found

    @cached_property
    def benchmarks(self) -> dict[str, Path]:
        """The predictions of those benchmarks that DVC says are up to date for this very detector."""
        made: dict[str, Path] = {}
        for name in self.wanted:
            path = predictions.path_of(self.params.paths.predictions, self.folder.name, name)
            stage = lineage.maker(self.lock, path.as_posix()) if self.stage else None
            if stage and stage not in self.out_of_date and path.is_file():
                made[name] = path
        return made

    @property
    def wanted(self) -> list[str]:
        """All that detectors are judged on."""
        params = self.params
        return sets.names(params.reconstruct.vaes, params.generate.generators, params.evaluate.benchmarks)

    @property
    def reported(self) -> bool:
        """Whether the report's numbers are those of these predictions."""
        return bool(self.benchmarks) and REPORT in self.lock["stages"] and REPORT not in self.out_of_date

    def made(self) -> Made:
        """All that is known of the detector."""
        metrics = version_facts.metrics(self.params, self.folder.name, self.benchmarks) if self.reported else {}
        stages = lineage.trace(self.lock, self.folder.as_posix())
        return Made(self.params, self.folder, self.description, stages, self.benchmarks, metrics)


def run(params: Params, params_file: Path, detector: str | None, as_json: bool) -> None:
    """Register a detector, `promote.detector` where none is named, and say what came of it; alias `challenger`.

    Raises SetupError where the setup forbids it, or the store is away: then nothing is half done that the next run
    does not finish.
    """
    job = Job(params, params_file, detector or params.promote.detector)
    refuse(job)
    registry = Registry.open(params.promote.model)
    with tempfile.TemporaryDirectory() as scratch:
        known = candidate(job, Path(scratch))
        with registry.locked(f"register {known.name}"):
            found = registry.find(known.digest)
            version = registry.complete(found, known) if found else registry.create(known)
            if not {CHAMPION, CHALLENGER} & set(version.aliases):
                registry.move(CHALLENGER, version)
    document = told(job, registry.version(str(version.number)), is_new=found is None)
    print(json.dumps(document, indent=2) if as_json else sentence(document))


def refuse(job: Job) -> None:
    """Raise SetupError where this detector may not be registered now."""
    if stage := dvc_records.current_stage():
        told = f"`dda register` runs inside of the DVC stage {stage!r}, whose outputs DVC may take from its cache"
        raise SetupError(f"{told} without running anything: register after `dvc repro`, outside of any stage")
    _ = job.description
    if job.stage and job.stage in job.out_of_date:
        told = f"{job.folder} is not what its inputs make now: `dvc status` lists {job.stage}"
        raise SetupError(f"{told}. Run `dvc repro {job.stage}`, and register then")


def candidate(job: Job, scratch: Path) -> Candidate:
    """What the version is to hold; its files are gathered in a scratch folder."""
    detector = Detector.load(job.folder, "cpu")
    made, weights = job.made(), detectors.sha256_of(job.folder / detectors.WEIGHTS)
    version_facts.write(made, job.params_file, scratch)
    smoke.write(scratch, detector)

    def write_model(folder: Path, model_id: str, run_id: str) -> None:
        facts = {"licence": job.description["licence"], "vaes": made.vaes}
        packing.write(folder, job.folder, smoke.pictures()[:2], facts, packing.Identity(model_id, run_id))

    return Candidate(
        digest=shards.fingerprint({**made.description, "weights_sha256": weights}),
        code=packing.code_digest(),
        name=job.folder.name,
        write_model=write_model,
        files=scratch,
        card=(job.folder / detectors.CARD).read_text("utf-8"),
        tags={**version_facts.tags(made), "dda.not_evaluated": version_facts.listed(missing(job))},
        metrics=made.metrics,
    )


def missing(job: Job) -> list[str]:
    """Benchmarks without predictions that are up to date."""
    return [name for name in job.wanted if name not in job.benchmarks]


def told(job: Job, version: Version, is_new: bool) -> dict[str, Any]:
    """What came of it, as plain values."""
    return {
        "model": job.params.promote.model,
        "version": version.number,
        "new": is_new,
        "aliases": list(version.aliases),
        "digest": version.digest,
        "detector": job.folder.name,
        "run_id": version.run_id,
        "made_by_dvc": job.stage is not None,
        "evaluated": list(job.benchmarks),
        "not_evaluated": missing(job),
        "metrics": len(version.metrics),
        "reported": job.reported,
    }


def sentence(document: Mapping[str, Any]) -> str:
    """The same for a terminal."""
    what = "is registered as" if document["new"] else "was already registered, and is up to date as"
    named = f" ({', '.join(document['aliases'])})" if document["aliases"] else ""
    lines = [f"{document['detector']} {what} version {document['version']} of {document['model']}{named}"]
    if not document["made_by_dvc"]:
        lines.append("  DVC did not make it: its lineage is what its detector.json says")
    lines.append(f"  evaluated: {', '.join(document['evaluated']) or 'on nothing'}; {document['metrics']} metrics")
    if document["not_evaluated"]:
        lines.append(f"  not evaluated yet: {', '.join(document['not_evaluated'])}")
    if document["evaluated"] and not document["reported"]:
        lines.append("  no metrics, as the report is not up to date: run `dvc repro`, and `dda register` again")
    return "\n".join(lines)
