"""MLflow: where runs are kept and compared. Files are the truth; a tracking store that is away never stops a stage."""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

STORE = Path("artifacts/mlflow")
EXPERIMENT = "dda"
FLUSH_S = 5.0
MAX_WAITING = 900  # metrics in one request: MLflow takes at most 1,000
MAX_TEXT = 6000  # characters of a parameter's value
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Description:
    """What a run is: `data` has a name, a place and a digest for every set."""

    name: str
    params: Mapping[str, Any]
    data: Mapping[str, tuple[str, str]]
    tags: Mapping[str, str] = field(default_factory=dict)


def store_uri() -> str:
    """MLFLOW_TRACKING_URI where it is set, else a SQLite file below artifacts/, by its absolute path."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(STORE / 'mlflow.db').resolve()}"


def shown_uri() -> str:
    """The store's address without the password that it may hold."""
    uri = store_uri()
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="")) if "@" in parts.netloc else uri


def said(error: Exception) -> str:
    """An error's words without the name and password that the store's address may hold."""
    known, _, _ = urlsplit(store_uri()).netloc.rpartition("@")
    return str(error).replace(f"{known}@", "") if known else str(error)


class Run:
    """A run that is being written; what cannot be delivered is said once and then left alone."""

    def __init__(self, client: Any, run_id: str) -> None:
        self.client, self.run_id = client, run_id
        self._waiting: list[Any] = []
        self._flushed = time.monotonic()
        self._monitor: Any = None

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Metrics of one step; they travel together, every few seconds."""
        if self.client is None:
            return
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._waiting += [Metric(name, float(value), now, step) for name, value in metrics.items()]
        if len(self._waiting) > MAX_WAITING or time.monotonic() - self._flushed > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Deliver what waits."""
        sent, self._waiting, self._flushed = self._waiting, [], time.monotonic()
        for first in range(0, len(sent), MAX_WAITING):
            self._deliver(partial(self._send, sent[first : first + MAX_WAITING]))

    def log_picture(self, name: str, png: bytes) -> None:
        """A PNG among the run's artifacts."""
        from PIL import Image

        self._deliver(lambda: self.client.log_image(self.run_id, Image.open(BytesIO(png)), name))

    def log_files(self, folder: Path) -> None:
        """The files of a folder as the run's artifacts."""
        self._deliver(lambda: self.client.log_artifacts(self.run_id, str(folder)))

    def watch_machine(self) -> None:
        """Let MLflow note every ten seconds what the machine is busy with."""
        self._deliver(self._watch)

    def close(self, status: str) -> None:
        """Deliver what waits, and declare the run FINISHED, FAILED or KILLED."""
        self.flush()
        if self._monitor is not None:
            self._monitor.finish()
        self._deliver(lambda: self.client.set_terminated(self.run_id, status))
        self.client = None

    def _send(self, metrics: list[Any]) -> None:
        self.client.log_batch(self.run_id, metrics=metrics)

    def _watch(self) -> None:
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        self._monitor = SystemMetricsMonitor(self.run_id, resume_logging=True, tracking_uri=store_uri())
        self._monitor.start()

    def _deliver(self, send: Callable[[], object]) -> None:
        if self.client is None:
            return
        try:
            send()
        except Exception as error:  # whatever a remote store may answer, training goes on
            log.warning("MLflow does not answer, the rest is only in the log on disk: %s", said(error))
            self.client = None


@contextmanager
def run(described: Description, run_id: str = "", watched: bool = True) -> Iterator[Run]:
    """A run, or one that was interrupted (`run_id`) and goes on. Ends FAILED where the block fails.

    `watched`: whether it notes what the machine is busy with.
    """
    started = _start(described, run_id)
    if watched:
        started.watch_machine()
    try:
        yield started
    except KeyboardInterrupt:
        started.close("KILLED")
        raise
    except BaseException:
        started.close("FAILED")
        raise
    started.close("FINISHED")


def silent() -> Run:
    """A run that nobody keeps: of the processes that only help."""
    return Run(None, "")


def _start(described: Description, run_id: str) -> Run:
    started = silent()
    try:
        client, experiment = _open()
        if run_id and _known(client, run_id):
            client.update_run(run_id, status="RUNNING")
            return Run(client, run_id)
        tags = {**described.tags, "mlflow.source.type": "JOB"}
        started = Run(client, client.create_run(experiment, run_name=described.name, tags=tags).info.run_id)
        from mlflow.entities import Param

        params = [Param(name, str(value)[:MAX_TEXT]) for name, value in flat(described.params).items()]
        client.log_batch(started.run_id, params=params)
        client.log_inputs(started.run_id, datasets=[_dataset(*item) for item in described.data.items()])
    except Exception as error:  # a store that is away or damaged must not stop the training
        log.warning("MLflow store %s is not usable, the run is only logged on disk: %s", shown_uri(), said(error))
        started.close("FAILED")
        return silent()
    return started


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested settings under dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{above}{name}.") if isinstance(value, Mapping) else {f"{above}{name}": value}
    return found


def _known(client: Any, run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id))
    except MlflowException:  # of another store, or deleted
        return False


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
    """A MetaDataset of MLflow's: what `search_runs("dataset.digest = ...")` finds."""
    from mlflow.data import dataset_source_registry, meta_dataset, sources
    from mlflow.entities import DatasetInput

    place, digest = facts
    kinds: Any = [sources.LocalArtifactDatasetSource]  # type: ignore[attr-defined]
    source = dataset_source_registry.resolve_dataset_source(place, candidate_sources=kinds)
    described = meta_dataset.MetaDataset(source, name=name, digest=digest)  # type: ignore[abstract]
    return DatasetInput(described._to_mlflow_entity())


def has_runs() -> bool:
    """Whether there is something to look at: a local store exists from its first run on, a server is believed."""
    uri = store_uri()
    return not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).is_file()
