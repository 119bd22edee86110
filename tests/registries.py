"""Candidates for the registry that cost nothing to make, and clients of MLflow that die or fail at a chosen request."""

import os
import signal

from mlflow.exceptions import MlflowException

from dda.io.candidates import Candidate
from dda.io.registry import EXPERIMENT

MODEL = "dda-detector"
TAGS = {"dda.detector": "small"}


def candidate(folder, digest="d1", metrics=None, tags=None, **files):
    """A candidate whose model is one file; `files` are artifacts by their names (`__` stands for /, `_` for .)."""
    gathered = folder / "files"
    for name, text in {"lineage__detector_json": "{}", **files}.items():
        path = gathered / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Candidate(digest, "c1", "small", write_model, gathered, "# A card", {**TAGS, **(tags or {})}, metrics or {})


def write_model(folder, model_id, run_id):
    (folder / "artifacts/detector").mkdir(parents=True)
    (folder / "MLmodel").write_text(f"model_id: {model_id}\nrun_id: {run_id}\n")
    (folder / "artifacts/detector/detector.json").write_text('{"name": "small"}')


def register(registry, wanted):
    """As `dda register` does it."""
    with registry.locked("register small"):
        found = registry.find(wanted.digest)
        version = registry.complete(found, wanted) if found else registry.create(wanted)
        registry.move("challenger", version)
    return version


class Stopped:
    """A client of MLflow's that stops before its request of a number, by `stop`."""

    def __init__(self, client, number, stop) -> None:
        self._client, self._left, self._stop = client, number, stop

    def __getattr__(self, name):
        method = getattr(self._client, name)

        def ask(*given, **named):
            if self._left == 0:
                self._stop()
            self._left -= 1
            return method(*given, **named)

        return ask


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    raise MlflowException("the store is away")


def everything(registry):
    """What the store holds of a model: versions, runs, logged models, registered models, aliases."""
    client = registry.client
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    return {
        "versions": [int(one.version) for one in client.search_model_versions(f"name = '{MODEL}'")],
        "runs": len(client.search_runs([experiment])),
        "models": len(client.search_logged_models([experiment])),
        "names": sorted(one.name for one in client.search_registered_models()),
        "aliases": {name: int(at) for name, at in client.get_registered_model(MODEL).aliases.items()},
    }


ONE = {"versions": [1], "runs": 1, "models": 1, "names": [MODEL], "aliases": {"challenger": 1}}
