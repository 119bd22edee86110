"""Versions in a registry of a test's own: a real detector, with predictions and audits as the test wants them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from dda.app import smoke
from dda.io import atomic, packing, predictions, tables
from dda.io.candidates import Candidate
from dda.io.detecting import Detector
from dda.io.registry import Registry
from tests import judged

MODEL = "dda-detector"


def shifted(table, by):
    """The same images, each judged so much more in its class' direction."""
    return table.assign(logit=table["logit"] + np.where(table["label"] == 1, by, -by))


def answered(by=0.0, n_pairs=60):
    """Predictions on drawn images, as good as `by` says."""
    table = shifted(judged.table(n_pairs), by).assign(views="centre", inference=f"{by}")
    return table.assign(error=None)


def version(folder: Path, detector: Path, tables_of, audit_passed=True, wrong_logits=False):
    """Register a detector's copy of its own digest with these predictions (benchmark -> table); the version."""
    copy, files = folder / "detector", folder / "files"
    shutil.copytree(detector, copy)
    description = json.loads((copy / "detector.json").read_text())
    description["note"] = folder.name
    atomic.write_json(copy / "detector.json", description)
    (pairs,) = description["data"].items()
    stamp = {"passed": audit_passed, "digest": pairs[1]["pairs_sha256"]}
    atomic.write_json(files / f"lineage/audit/{pairs[0]}.json", stamp)
    for benchmark, table in tables_of.items():
        path = predictions.path_of(files, "predictions", benchmark)
        tables.write(path, tables.records(table), predictions.COLUMNS)
    smoke.write(files, Detector.load(copy, "cpu"))
    if wrong_logits:
        told = atomic.read_json(files / smoke.FIXTURES)
        atomic.write_json(files / smoke.FIXTURES, told | {"logits": [logit + 1 for logit in told["logits"]]})

    def write_model(place, model_id, run_id):
        packing.write(place, copy, smoke.pictures()[:2], {}, packing.Identity(model_id, run_id))

    facts = {"digest": folder.name, "code": packing.code_digest(), "name": "embedded", "card": "a card", "tags": {}}
    registry = Registry.open(MODEL)
    with registry.locked("register"):
        made = registry.create(Candidate(write_model=write_model, files=files, **facts))
        registry.move("challenger", made)
    return registry.version(str(made.number))


def read(registry, version, benchmark, folder):
    """Predictions that are kept with a version."""
    path = registry.fetch(version, f"predictions/{benchmark}.parquet", folder)
    return pd.read_parquet(path)
