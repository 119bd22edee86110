"""Models of others in MLflow's own form, loaded without a pickle: models from code, and flavours such as ONNX.

A model is given a table with one column, `image`: the bytes of a PNG with the pixels that are to be judged. It gives a
score for each row: a list, an array, a column, or a table with one column or one that is called `score`.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dda.core import kinds
from dda.core.errors import SetupError
from dda.io import foreign, photos, shards, tracking
from dda.io.detectors import sha256_of
from dda.io.foreign import Pixels

Row = Mapping[str, Any]
MODEL, MARKED = "model", "MLmodel"
PICKLES = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"
PICKLED = (".pkl", ".pickle", ".joblib", ".pth", ".pt")
INSTEAD = "save it as a model from code (`python_model` is a file), or in a flavour such as ONNX"
SCHEMES = ("models:", "runs:")


@dataclass(frozen=True)
class Pyfunc:
    """An MLflow model as a judge."""

    model: Any
    description: Row

    @property
    def digest(self) -> str:
        """Stands for the model's files, and for the meaning of its scores."""
        row = self.description["row"]
        decisive = (row["output"], row.get("input_px"), self.description["files"])
        return shards.fingerprint("pyfunc", decisive, shards.code_digest(kinds.logit))

    def windows(self, pixels: Pixels, views: str) -> list[Pixels]:
        """Windows of `input_px` where the row names it, else the whole image."""
        return foreign.windows(pixels, views, self.description["row"].get("input_px"))

    def scores(self, windows: Sequence[Pixels]) -> list[float | str]:
        """A logit for each, or why there is none."""
        return foreign.answers(self._ask, windows, self.description["row"]["output"])

    def _ask(self, windows: Sequence[Pixels]) -> Any:
        import pandas as pd

        return self.model.predict(pd.DataFrame({"image": [photos.encode_png(window) for window in windows]}))


def place(row: Row, folder: Path, sets: Mapping[str, Path]) -> dict[str, Any]:
    """Copy the model, wherever it is kept: an alias may move tomorrow. The digests of its files.

    Raises SetupError where it cannot be had, or could only be loaded by a pickle.
    """
    del sets
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(
            _fetched(row["uri"], Path(scratch)), folder / MODEL, ignore=shutil.ignore_patterns("__pycache__")
        )
    _loaded(folder / MODEL, row["uri"])
    files = sorted(path for path in (folder / MODEL).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {"files": {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}}


def load(folder: Path, description: Row, precision: str) -> Pyfunc:
    """The model of a folder. Raises SetupError where its files are others, or need a pickle."""
    del precision
    foreign.check_files(folder, description["files"])
    return Pyfunc(_loaded(folder / MODEL, description["row"]["uri"]), description)


def _fetched(uri: str, scratch: Path) -> Path:
    """Where the model lies now: its folder, or a copy of what a tracking store keeps."""
    if not uri.startswith(SCHEMES):
        if not (Path(uri) / MARKED).is_file():
            raise SetupError(
                f"{uri} is no MLflow model: no {MARKED} in it; `uri` is a folder, models:/... or runs:/..."
            )
        return Path(uri)
    from mlflow import artifacts
    from mlflow.exceptions import MlflowException

    store = tracking.store_uri()
    kept = {"dst_path": str(scratch), "tracking_uri": store, "registry_uri": store}
    try:
        return Path(artifacts.download_artifacts(uri, **kept))
    except (MlflowException, OSError) as error:
        told = f"cannot get {uri} from {tracking.shown_uri()}: {tracking.said(error)}"
        raise SetupError(f"{told}: check MLFLOW_TRACKING_URI") from error


def _loaded(folder: Path, uri: str) -> Any:
    """The model, by its own code or flavour; never by a pickle."""
    import mlflow.pyfunc
    from mlflow.exceptions import MlflowException

    pickled = sorted(path.name for path in folder.rglob("*") if path.suffix in PICKLED)
    if pickled:
        raise SetupError(f"{uri} holds {pickled[0]}, which is or may be a pickle, and is not loaded: {INSTEAD}")
    try:
        with no_pickle():
            return mlflow.pyfunc.load_model(str(folder))
    except (MlflowException, ImportError) as error:
        raise SetupError(f"MLflow cannot load {uri}: {foreign.told(error)}: {INSTEAD}") from error


@contextmanager
def no_pickle() -> Iterator[None]:
    """MLflow refuses pickles meanwhile."""
    before = os.environ.get(PICKLES)
    os.environ[PICKLES] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[PICKLES]
        else:
            os.environ[PICKLES] = before
