"""A registered version behind `mlflow models serve`, asked over HTTP: answers, limits, and what it never opens."""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path

import jsonschema
import pytest
import yaml
from PIL import Image

from dda.io import packing, tracking
from dda.io.detecting import Detector
from dda.io.registry import Registry
from tests import pages, small_detector, versions
from tests.serving import free_ports

START_S = 120
CLIENTS = 64
CONFIGURED = {"SERVING_MODEL_CONFIG": json.dumps({"device": "cpu", "max_pixels": 40_000_000})}


def png(pixels):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


IMAGES = [png(pixels) for pixels in small_detector.PHOTOS]


def text(content):
    return base64.b64encode(content).decode()


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return small_detector.write(tmp_path_factory.mktemp("detector") / "small", ["onnx"])


@pytest.fixture(scope="module")
def server(detector, empty_store, tmp_path_factory):
    """The address of a served champion, and its log."""
    folder = shutil.copytree(empty_store, tmp_path_factory.mktemp("serving") / "store")
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        Registry.open(versions.MODEL).move("champion", versions.version(folder / "version", detector, {}))
        store = tracking.store_uri()
    (port,) = free_ports(1)
    command = [Path(sys.executable).parent / "mlflow", "models", "serve", "-m", "models:/dda-detector@champion"]
    path = f"{command[0].parent}:{os.environ['PATH']}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--env-manager", "local", "--port", str(port)],
            env={**os.environ, **CONFIGURED, "MLFLOW_TRACKING_URI": store, "PATH": path},
            **{"cwd": folder, "stdout": log, "stderr": subprocess.STDOUT, "start_new_session": True},
        )
    try:
        wait(f"http://127.0.0.1:{port}/ping", process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait(address, process, log):
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=5).close()
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def asked(server, body, kind="application/json"):
    """Status and text of an answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{server}/invocations", content, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def table(images, **params):
    body = {"dataframe_split": {"columns": ["image"], "data": [[one] for one in images]}}
    return body | ({"params": params} if params else {})


def rows(server, images, **params):
    status, said = asked(server, table(images, **params))
    assert status == 200, said
    assert "NaN" not in said
    return json.loads(said)["predictions"]


def test_it_answers_a_batch_as_the_detector_does(server, detector):
    for views in ("centre", "five", "tiles"):
        wanted = Detector.load(detector, "cpu").predict(IMAGES, views)
        found = rows(server, list(map(text, IMAGES)), views=views)
        assert [one["verdict"] for one in found] == [one.verdict for one in wanted]
        for name in ("logit", "probability", "seen", "width", "height", "threshold"):
            assert [one[name] for one in found] == pytest.approx([getattr(one, name) for one in wanted], abs=1e-4)
        assert [(one["calibrated"], one["error"]) for one in found] == [(True, None)] * len(IMAGES)


def test_a_rate_of_false_positives_chooses_the_threshold(server):
    (found,) = rows(server, [text(IMAGES[0])], max_fpr=0.01)
    assert found["threshold"] == pytest.approx(0.1)
    assert rows(server, [text(IMAGES[0])], max_fpr=0)[0]["threshold"] == 0


@pytest.mark.parametrize("path", ["/ping", "/health", "/version"])
def test_it_says_that_it_is_well(server, path):
    with urllib.request.urlopen(f"{server}{path}", timeout=10) as reply:
        assert reply.status == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (table([text(IMAGES[0])], views="all"), "no views 'all'"),
        (table([text(IMAGES[0])], max_fpr=0.2), "no threshold for a false-positive rate of 0.2"),
        (table([text(IMAGES[0])], max_fpr="much"), "max_fpr"),
        (table([""] * 65), "65 images in one request: at most 64"),
        ({"dataframe_split": {"columns": ["picture"], "data": [[""]]}}, "image"),
        ({"image": text(IMAGES[0])}, "dataframe_split"),
        (b"{", "JSON"),
        ([], ""),
    ],
    ids=["views", "rate", "no number", "rows", "column", "format", "cut", "list"],
)
def test_a_wrong_request_is_a_sentence_without_a_traceback(server, body, said):
    status, told = asked(server, body)
    assert status == 400, told
    assert said in told
    assert "Traceback" not in told
    assert "site-packages" not in told


def test_an_image_that_cannot_be_read_costs_no_other_one(server):
    found = rows(server, [text(IMAGES[0]), text(b"no image"), "", 7, None, text(IMAGES[1])])
    assert [one["verdict"] == "unreadable" for one in found] == [False, True, True, True, True, False]
    assert found[1]["error"] == "no image in a known format"
    assert [(one["logit"], one["width"]) for one in found[1:5]] == [(None, None)] * 4


def test_files_and_images_that_are_too_large_are_answered_so(server):
    Image.new("1", (8000, 7000)).save(bomb := BytesIO(), "PNG")
    found = rows(server, [text(bomb.getvalue()), text(b"0" * 20_000_001), text(IMAGES[0])])
    assert [one["error"] for one in found] == ["more than 40000000 pixels: 8000x7000", "larger than 20 MB", None]


def test_no_address_is_fetched_and_no_file_is_opened(server, tmp_path):
    photo = tmp_path / "photo.png"
    photo.write_bytes(IMAGES[0])
    with counted() as (address, requests):
        given = [
            str(photo),
            photo.as_uri(),
            f"{address}/photo.png",
            "/etc/passwd",
            "file:///etc/passwd",
            "../photo.png",
        ]
        given += [f"data:image/png;base64,{text(IMAGES[0])}", f"http://127.0.0.1{photo}", "s3://bucket/photo.png"]
        found = rows(server, given)
        encoded = rows(server, [text(one.encode()) for one in given])
    assert [one["error"] for one in encoded] == ["no image in a known format"] * len(given)
    assert {one["verdict"] for one in found} == {"unreadable"}
    assert {one["error"] for one in found} <= {packing_words(), "no image in a known format"}
    assert found[0]["error"] == found[2]["error"] == packing_words()
    assert requests == []


def packing_words():
    return "not base64 of an image file: addresses and paths are never opened, send the file itself"


@contextlib.contextmanager
def counted():
    """A server that notes who asks it."""
    requests = []

    class Noting(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_error(404)

    one = HTTPServer(("127.0.0.1", 0), Noting)
    threading.Thread(target=one.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{one.server_port}", requests
    finally:
        one.shutdown()
        one.server_close()


def test_many_clients_at_once_are_all_answered(server):
    wanted = rows(server, [text(IMAGES[0])])

    def ask(_):
        return rows(server, [text(IMAGES[0])])

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert list(pool.map(ask, range(2 * CLIENTS))) == [wanted] * 2 * CLIENTS


def test_the_description_for_generators_of_clients_is_true(server):
    described = json.loads((pages.DOCS / "openapi.json").read_text())
    schemas = {"components": described["components"]}

    def check(name, value):
        jsonschema.validate(value, {"$ref": f"#/components/schemas/{name}", **schemas})

    request = table([text(IMAGES[0]), text(b"none")], views="five", max_fpr=0.01)
    check("Request", request)
    check("Answer", json.loads(asked(server, request)[1]))
    for wrong in (table([""] * 65), table([""], views="all"), {"image": ""}):
        check("Refusal", json.loads(asked(server, wrong)[1]))
        with pytest.raises(jsonschema.ValidationError):
            check("Request", wrong)
    with urllib.request.urlopen(f"{server}/openapi.json", timeout=10) as reply:
        assert set(json.load(reply)["paths"]) == set(described["paths"])


def test_the_clients_of_the_page_are_answered(server, tmp_path):
    Image.fromarray(small_detector.PHOTOS[2]).save(tmp_path / "photo.jpg")
    clients = [block for block in pages.blocks("serving.md") if block[1] == "client"]
    assert [block[0] for block in clients] == ["python", "sh"]
    for language, word, content in clients:
        said = pages.run((language, word, content.replace("http://127.0.0.1:5000", server)), tmp_path)
        assert "uncertain" in said or "real" in said or "generated" in said
        assert "unreadable" not in said


def test_an_operator_may_set_the_limits(detector, tmp_path):
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.exceptions import MlflowException

    packing.write(tmp_path / "model", detector, IMAGES[:1], {}, packing.Identity("m-" + "0" * 32, "1" * 32))
    limits = {"device": "cpu", "max_rows": 2, "max_bytes": len(IMAGES[0]), "max_pixels": 100}
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "model"), model_config=limits)
    found = loaded.predict(pd.DataFrame({"image": [IMAGES[0], IMAGES[0] + b"0"]}))
    assert list(found["error"]) == ["more than 100 pixels: 50x190", f"larger than {len(IMAGES[0]) / 1e6:g} MB"]
    with pytest.raises(MlflowException, match="3 images in one request: at most 2"):
        loaded.predict(pd.DataFrame({"image": [IMAGES[0]] * 3}))
    described = yaml.safe_load((tmp_path / "model/MLmodel").read_text())
    assert "onnxruntime" in (tmp_path / "model/requirements.txt").read_text()
    assert described["flavors"]["python_function"]["config"]["max_rows"] == 64
