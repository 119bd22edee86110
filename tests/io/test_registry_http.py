"""A whole registration through a real MLflow server whose artifacts lie in an S3 store, and others' way to load it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from io import BytesIO

import pytest
from PIL import Image

from dda.core.errors import SetupError
from dda.io import packing
from dda.io.candidates import Candidate
from dda.io.detecting import Detector
from dda.io.registry import Registry
from tests import stores
from tests.registries import MODEL, ONE, everything, register

pytestmark = pytest.mark.slow


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def server(rclone_store, empty_store, tmp_path_factory):
    """The address of an MLflow server; it alone has the keys of the store."""
    database = shutil.copy(empty_store / "artifacts/mlflow/mlflow.db", tmp_path_factory.mktemp("server"))
    port, places = free_port(), ["--backend-store-uri", f"sqlite:///{database}"]
    places += ["--artifacts-destination", f"s3://{stores.BUCKET}/mlflow"]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1", *places]
    process = subprocess.Popen(
        command,
        env=stores.environment(rclone_store.address) | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/health")
                break
            time.sleep(0.5)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def gated(server, tmp_path, monkeypatch):
    """A gate before the server, which this process uses."""
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with stores.gate(server) as passing:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", passing.address)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        yield passing


def cut_off_at(word):
    """Cut the connection of the first request with this word, and of all that follow."""
    seen = []

    def before(request):
        if seen or word in request:
            seen.append(request)
            raise ConnectionError("cut off")

    return before


def packed(folder, detector, example):
    """A candidate that holds a real detector."""
    (folder / "files/lineage").mkdir(parents=True)
    (folder / "files/lineage/a.json").write_text("{}")

    def write_model(where, model_id, run_id):
        packing.write(where, detector, [example], {}, packing.Identity(model_id, run_id))

    return Candidate("d1", "c1", "embedded", write_model, folder / "files", "# A card", {"a": "b"}, {"x/y/auroc": 0.5})


def test_a_server_that_goes_away_is_told_and_the_next_run_completes_what_anybody_can_load(
    gated, finished, tiles, tmp_path, rclone_store
):
    detector, example = finished / "artifacts/detectors/embedded", next(iter(tiles.values()))
    wanted = packed(tmp_path, detector, example)
    for word in ("runs/create", "model.safetensors", "model-versions/create", "alias"):
        gated.before = cut_off_at(word)
        with pytest.raises(SetupError, match=r"MLflow store http://127\.0\.0\.1"):
            register(Registry.open(MODEL), wanted)
        gated.before = None
    registry = Registry.open(MODEL)
    register(registry, wanted)
    assert everything(registry) == ONE
    assert list(rclone_store.folder.rglob("mlflow/**/model.safetensors"))
    check_loaded_by_others(detector, example)


def check_loaded_by_others(detector, example):
    """In a process of its own, by MLflow alone."""
    ask = f"""
import mlflow.pyfunc, pandas as pd, sys
model = mlflow.pyfunc.load_model("models:/{MODEL}@challenger")
print(model.predict(pd.DataFrame({{"image": [sys.stdin.buffer.read()]}}))["logit"][0])
"""
    done = subprocess.run([sys.executable, "-c", ask], input=example, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    (wanted,) = Detector.load(detector, "cpu").predict([Image.open(BytesIO(example))])
    assert float(done.stdout) == pytest.approx(wanted.logit, abs=1e-4)
