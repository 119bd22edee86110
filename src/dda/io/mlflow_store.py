"""MLflow's store, for those who cannot do without it: a client, and sentences for all that may go wrong with it."""

import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dda.core.errors import SetupError
from dda.io import tracking

ANSWERS_S = 5.0
PORTS = {"http": 80, "https": 443}
QUIET = {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
"""It would print between the lines of a command, JSON among them."""
NEXT = "check MLFLOW_TRACKING_URI, that its server runs, and for artifacts on S3 the AWS variables, and run again"


def check_answers() -> None:
    """Raise SetupError where the store's server does not even take a connection; a file needs none."""
    parts = urlsplit(tracking.store_uri())
    if parts.scheme not in PORTS:
        return
    try:
        socket.create_connection((parts.hostname or "", parts.port or PORTS[parts.scheme]), ANSWERS_S).close()
    except (OSError, ValueError) as error:
        raise SetupError(
            f"MLflow store {tracking.shown_uri()} does not answer: {tracking.said(error)}: {NEXT}"
        ) from error


def client() -> Any:
    """A client of the store, which is made where it is a file that is not there yet: by one process at a time."""
    import mlflow

    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "alembic"):  # after the import, which sets levels of its own
        logging.getLogger(name).setLevel(logging.ERROR)
    check_answers()
    store = tracking.store_uri()
    with _made_by_one(), told("open"):
        found = mlflow.MlflowClient(store, store)
        found.search_registered_models(max_results=1)
        return found


def experiment(found: Any, name: str) -> str:
    """The id of an experiment, which is made at first use; the artifacts of a local store lie below its folder."""
    known = found.get_experiment_by_name(name)
    if known:
        return str(known.experiment_id)
    local = tracking.store_uri().startswith("sqlite:")
    location = (tracking.STORE / "runs").resolve().as_uri() if local else None
    return str(found.create_experiment(name, artifact_location=location))


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Turn what MLflow, its database and its artifacts' store raise into a SetupError; `doing` goes on "cannot"."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, Boto3Error, BotoCoreError, ClientError) as error:
        words = " ".join(tracking.said(error).split())
        raise SetupError(f"cannot {doing} in MLflow store {tracking.shown_uri()}: {words}: {NEXT}") from error


def is_missing(error: Any) -> bool:
    """Whether an MlflowException says that there is no such thing."""
    return error.error_code in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")


def is_there_already(error: Any) -> bool:
    """Whether an MlflowException says that somebody has made it before."""
    return error.error_code in ("RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS")


@contextmanager
def _made_by_one() -> Iterator[None]:
    """A local store's tables are made by the first client, and two at once would corrupt the file."""
    if not tracking.store_uri().startswith("sqlite:"):
        yield
        return
    folder: Path = tracking.STORE
    with told("open"):
        folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
