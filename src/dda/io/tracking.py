"""MLflow: where runs are kept and compared. Files are the truth; a tracking store that is away never stops a stage."""

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STORE = Path("artifacts/mlflow")
EXPERIMENT = "dda"
log = logging.getLogger(__name__)


def store_uri() -> str:
    """MLFLOW_TRACKING_URI where it is set, else a SQLite file below artifacts/, by its absolute path."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(STORE / 'mlflow.db').resolve()}"


class Run:
    """A run that is being written; what cannot be delivered is said once and then left alone."""

    def __init__(self, client: Any, run_id: str) -> None:
        self.client, self.run_id = client, run_id

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Metrics of one step."""
        if self.client is None:
            return
        try:
            for name, value in metrics.items():
                self.client.log_metric(self.run_id, name, value, step=step)
        except Exception as error:  # whatever a remote store may answer, training goes on
            self._give_up(error)

    def log_files(self, folder: Path) -> None:
        """The files of a folder as the run's artifacts."""
        if self.client is None:
            return
        try:
            self.client.log_artifacts(self.run_id, str(folder))
        except Exception as error:  # as above
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        log.warning("MLflow does not answer, the rest is only in the log on disk: %s", error)
        self.client = None


@contextmanager
def run(name: str, params: Mapping[str, Any], data: Mapping[str, tuple[str, str]]) -> Iterator[Run]:
    """A run with its parameters and its data: name -> (source, digest). Ends FAILED where the block fails."""
    started = _start(name, params, data)
    try:
        yield started
    except BaseException:
        _end(started, "FAILED")
        raise
    _end(started, "FINISHED")


def _start(name: str, params: Mapping[str, Any], data: Mapping[str, tuple[str, str]]) -> Run:
    started = Run(None, "")
    try:
        client, experiment = _open()
        run_id = client.create_run(experiment, run_name=name).info.run_id
        started = Run(client, run_id)
        for key, value in params.items():
            client.log_param(run_id, key, value)
        client.log_inputs(run_id, datasets=[_dataset(*item) for item in data.items()])
    except Exception as error:  # a store that is away or damaged must not stop the training
        log.warning(
            "MLflow store %s is not usable, the run is only logged on disk: %s",
            store_uri(),
            error,
        )
        _end(started, "FAILED")
        return Run(None, "")
    return started


def _open() -> tuple[Any, str]:
    """A client, and the experiment's id, both made at first use.

    One process at a time: already a client creates the tables, and two at once would corrupt a new SQLite file.
    """
    import mlflow

    for name in ("mlflow", "alembic"):  # after the import, which sets levels of its own
        logging.getLogger(name).setLevel(logging.ERROR)
    STORE.mkdir(parents=True, exist_ok=True)
    with (STORE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        client = mlflow.MlflowClient(store_uri())
        known = client.get_experiment_by_name(EXPERIMENT)
        if known:
            return client, str(known.experiment_id)
        local = store_uri().startswith("sqlite:")
        location = (STORE / "runs").resolve().as_uri() if local else None
        return client, str(client.create_experiment(EXPERIMENT, artifact_location=location))


def _dataset(name: str, facts: tuple[str, str]) -> Any:
    from mlflow.entities import Dataset, DatasetInput

    source, digest = facts
    return DatasetInput(Dataset(name=name, digest=digest, source_type="local", source=json.dumps({"uri": source})))


def _end(started: Run, status: str) -> None:
    if started.client is None:
        return
    try:
        started.client.set_terminated(started.run_id, status)
    except Exception as error:  # the run stays open there; its files are complete here
        log.warning("MLflow could not close the run: %s", error)


def has_runs() -> bool:
    """Whether there is something to look at: a local store exists from its first run on, a server is believed."""
    uri = store_uri()
    return not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).is_file()
