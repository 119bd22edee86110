"""What becomes a version of the registered model, and how it is written so that it may be killed at any moment.

A version appears last, in one request and with all of its tags, when all that it holds is in the store: a version that
is there is complete. What a killed registration has left is found by the detector's digest, and gone on with.
"""

import json
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from dda.io.detectors import sha256_of
from dda.io.mlflow_store import is_there_already

DIGEST, CODE, FILES, MODEL = "dda.digest", "dda.code", "dda.files", "dda.model"
FIXTURES = "fixtures.json"
"""What the detector said when it was registered: like the code of a version, it is never replaced."""
READY, FINISHED = "READY", "FINISHED"
MAX_DESCRIPTION = 5000  # characters: MLflow's databases keep no more
MAX_METRICS = 900  # in one request: MLflow takes at most 1,000
HEAD = re.compile(r"\A---\n.*?\n---\n\s*", re.DOTALL)  # MLflow's page would show it as a heading
REST = "\n\n... the rest stands in the detector's card.md"


@dataclass(frozen=True)
class Candidate:
    """What a version is to hold.

    `digest` stands for the detector, `code` for what serves it. `write_model` writes MLflow's model into a new folder,
    being told the ids of the model and of its run. `files` is a folder whose files become artifacts of the run, at the
    same places below it.
    """

    digest: str
    code: str
    name: str
    write_model: Callable[[Path, str, str], None]
    files: Path
    card: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def digests(self) -> dict[str, str]:
        """The sha256 of every file, by its place."""
        found = sorted(path for path in self.files.rglob("*") if path.is_file())
        return {path.relative_to(self.files).as_posix(): sha256_of(path) for path in found}

    def new_files(self, tags: Mapping[str, str]) -> dict[str, str]:
        """The digests of files that a version of these tags has not, or has otherwise."""
        before = json.loads(tags.get(FILES, "{}"))
        others = {name: digest for name, digest in self.digests.items() if before.get(name) != digest}
        return {name: digest for name, digest in others.items() if name != FIXTURES or name not in before}

    def new_tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        """The tags that a version of these tags is given; the one that lists its files is last."""
        files = {**json.loads(tags.get(FILES, "{}")), **self.new_files(tags)}
        wanted = {CODE: self.code, DIGEST: self.digest, **tags, **self.tags, FILES: json.dumps(files)}
        return {name: value for name, value in wanted.items() if tags.get(name) != value}

    @property
    def description(self) -> str:
        """The card without the head that is for programs, as much of it as the store keeps."""
        told = HEAD.sub("", self.card)
        return told if len(told) <= MAX_DESCRIPTION else told[: MAX_DESCRIPTION - len(REST)] + REST


def write(client: Any, experiment: str, model: str, candidate: Candidate) -> str:
    """Make a version of a registered model; its number. To be called under the lock."""
    run_id = _run(client, experiment, candidate)
    model_id = _model(client, experiment, candidate, run_id)
    client.log_artifacts(run_id, str(candidate.files))
    log_metrics(client, run_id, model_id, candidate.metrics)
    client.set_terminated(run_id, FINISHED)
    _make_registered_model(client, model)
    told = {"tags": {**candidate.new_tags({}), MODEL: model_id}, "description": candidate.description}
    place = client.get_logged_model(model_id).artifact_location  # `models:/...` a local store would look up elsewhere
    made = client.create_model_version(model, place, run_id, model_id=model_id, **told)
    return str(made.version)


def log_metrics(client: Any, run_id: str, model_id: str, metrics: Mapping[str, float]) -> None:
    """Deliver the metrics that the run or the model do not have with this value."""
    from mlflow.entities import Metric

    of_model = client.get_logged_model(model_id).metrics or []
    known = [client.get_run(run_id).data.metrics, {one.key: one.value for one in of_model}]
    now = int(time.time() * 1000)
    new = [
        Metric(name, value, now, 0, model_id=model_id, run_id=run_id)
        for name, value in metrics.items()
        if any(one.get(name) != value for one in known)
    ]
    for first in range(0, len(new), MAX_METRICS):
        client.log_batch(run_id, metrics=new[first : first + MAX_METRICS])


def _run(client: Any, experiment: str, candidate: Candidate) -> str:
    """The run of a detector: the one that an earlier attempt has left, else a new one."""
    left = client.search_runs([experiment], f"tags.`{DIGEST}` = '{candidate.digest}'", max_results=1)
    if left:
        return str(left[0].info.run_id)
    tags = {DIGEST: candidate.digest, "mlflow.source.type": "JOB"}
    return str(client.create_run(experiment, tags=tags, run_name=f"register {candidate.name}").info.run_id)


def _model(client: Any, experiment: str, candidate: Candidate, run_id: str) -> str:
    """The logged model of a run, whole: what an earlier attempt has left is gone on with where its code is the same."""
    known = _left(client, experiment, candidate, run_id)
    if known and str(known.status) == READY:
        return str(known.model_id)
    tags = {DIGEST: candidate.digest, CODE: candidate.code}
    model_id = (known or client.create_logged_model(experiment, candidate.name, run_id, tags)).model_id
    with tempfile.TemporaryDirectory() as scratch:
        candidate.write_model(Path(scratch) / "model", model_id, run_id)
        client.log_model_artifacts(model_id, f"{scratch}/model")
    _link(client, run_id, model_id)
    client.finalize_logged_model(model_id, READY)
    return str(model_id)


def _link(client: Any, run_id: str, model_id: str) -> None:
    """Let MLflow's page of the run lead to the model. A second time is refused by the store."""
    from mlflow.entities import LoggedModelOutput

    outputs = client.get_run(run_id).outputs
    if model_id not in [one.model_id for one in (outputs.model_outputs if outputs else [])]:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])


def _left(client: Any, experiment: str, candidate: Candidate, run_id: str) -> Any:
    """The model that an earlier attempt has begun; those that nobody can go on with are deleted."""
    found = client.search_logged_models([experiment], f"tags.`{DIGEST}` = '{candidate.digest}'")
    mine = [one for one in found if one.tags.get(CODE) == candidate.code and one.source_run_id == run_id]
    kept = mine[0] if mine else None
    for one in found:
        if one is not kept:
            client.delete_logged_model(one.model_id)
    return kept


def _make_registered_model(client: Any, model: str) -> None:
    """Make the registered model, where this is its first version."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if not is_there_already(error):
            raise
