"""What is kept with a version of a detector: tags, numbers, and the files that say what made it."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dda import catalog
from dda.core import cases
from dda.core.cases import Case
from dda.core.lineage import Stage
from dda.io import atomic, detectors, dvc_records, images, predictions, tables, versioning
from dda.params import Params

DATA = Path("data.dvc")
RUN, NONE = "run.json", "none"


@dataclass(frozen=True)
class Made:
    """A detector, the stages above it (none where DVC did not make it), and what it was judged on."""

    params: Params
    folder: Path
    description: Mapping[str, Any]
    stages: Sequence[Stage]
    benchmarks: Mapping[str, Path]
    metrics: Mapping[str, float]

    @property
    def vaes(self) -> list[str]:
        """The VAEs of its pairs; none where it does not say."""
        return list(self.description.get("data") or {})

    @property
    def run(self) -> dict[str, Any]:
        """run.json: when, where and by what it was made; empty of an imported one."""
        return atomic.read_json(self.folder / RUN)


def metrics(params: Params, detector: str, benchmarks: Mapping[str, Path]) -> dict[str, float]:
    """The report's numbers of a detector on these benchmarks, by names such as `aligned-tiny/native/auroc`."""
    found = atomic.read_json(params.paths.reports / "metrics.json").get(detector, {})
    summaries = {
        Case(detector, benchmark, protocol): summary
        for benchmark in benchmarks
        for protocol, summary in found.get(benchmark, {}).items()
    }
    return dict(cases.flat(summaries, detector))


def tags(made: Made) -> dict[str, str]:
    """What a version is found by."""
    told = {
        "dda.detector": made.folder.name,
        "dda.licence": made.description["licence"],
        "dda.vaes": listed(made.vaes),
        "dda.made_by_dvc": "yes" if made.stages else "no",
        "dda.evaluated": listed(made.benchmarks),
        "dda.commit": versioning.commit(),
        "dda.dvc_lock": images.hexdigest(dvc_records.LOCK.read_bytes(), "md5") if made.stages else None,
        "dda.data": data(made).get("md5"),
        "dda.train_run": made.run.get("run_id"),
        "dda.train_commit": made.run.get("git_commit"),
        **{f"dda.set.{name}": data_digest(path) for name, path in made.benchmarks.items()},
    }
    for vae in made.vaes:
        told |= {
            f"dda.pairs.{vae}": made.description["data"][vae]["pairs_sha256"],
            f"dda.audit.{vae}": audit(made, vae),
        }
        told[f"dda.licence.{vae}"] = catalog.table("vaes").get(vae, {}).get("licence", "unknown")
    return {name: str(value) for name, value in told.items() if value is not None}


def listed(names: Iterable[str]) -> str:
    """Names as a tag's value, which MLflow wants not to be empty."""
    return ", ".join(names) or NONE


def names_of(tag: str) -> list[str]:
    """The names in such a value."""
    return [name for name in tag.split(", ") if name not in ("", NONE)]


def data(made: Made) -> dict[str, Any]:
    """What DVC says of the data that a detector comes from: md5, size and nfiles."""
    outs = dvc_records.yaml_of(DATA).get("outs", [{}]) if made.stages else [{}]
    return dict(outs[0])


def data_digest(path: Path) -> str:
    """Stands for the images of a table of predictions."""
    table = tables.read(path)
    return predictions.data_digest(predictions.selected(table, str(table["protocol"].iloc[0])))


def audit(made: Made, vae: str) -> str:
    """The audit's verdict on the pairs that the detector has seen: passed, failed, or that there is none."""
    found = atomic.read_json(made.params.paths.audits / f"{vae}.json")
    if not found:
        return "not audited"
    if found.get("digest") != made.description["data"][vae]["pairs_sha256"]:
        return "other pairs were audited"
    return "passed" if found.get("passed") else "failed"


def counts(made: Made) -> dict[str, Any]:
    """How many photos there were, and pairs of each VAE, by split; nothing of tables that are not here."""
    found: dict[str, Any] = {}
    if not made.stages:
        return found
    if made.params.paths.index.is_file():
        found["photos"] = _counted(made.params.paths.index)
    folders = {vae: made.params.paths.aligned / vae / "pairs.parquet" for vae in made.vaes}
    return {**found, "pairs": {vae: _counted(path) for vae, path in folders.items() if path.is_file()}}


def write(made: Made, params_file: Path, folder: Path) -> None:
    """Gather the files of a version, where its run will have them: `lineage/` and `predictions/`."""
    inside = folder / "lineage"
    inside.mkdir(parents=True)
    ours = [params_file, dvc_records.LOCK, DATA] if made.stages else [params_file]
    for path in [*ours, made.folder / detectors.DESCRIPTION, made.folder / RUN]:
        if path.is_file():
            shutil.copyfile(path, inside / ("params.yaml" if path == params_file else path.name))
    atomic.write_json(inside / "counts.json", counts(made))
    for vae in made.vaes:
        _copied(made.params.paths.audits / f"{vae}.json", inside / "audit")
    for path in made.benchmarks.values():
        _copied(path, folder / "predictions")


def read(folder: Path) -> dict[str, Any]:
    """The files of `lineage/` as a version has them, by their names."""
    found = {path.name: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}
    found |= {name: dvc_records.yaml_of(folder / name) for name in ("params.yaml", "dvc.lock", "data.dvc")}
    audits = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((folder / "audit").glob("*.json"))}
    return {**found, "audits": audits}


def _copied(path: Path, folder: Path) -> None:
    if path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / path.name)


def _counted(path: Path) -> dict[str, Any]:
    """Rows of a table, those without an error by split, and the reasons of the others."""
    rows = tables.records(tables.read(path))
    used = [row for row in rows if row["error"] is None]
    reasons = Counter(row["error"] for row in rows if row["error"] is not None)
    return {
        "all": len(rows),
        "used": len(used),
        "splits": dict(sorted(Counter(row["split"] for row in used).items())),
        "reasons": dict(reasons.most_common(10)),
    }
