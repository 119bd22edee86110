"""On a CPU a detector with an ONNX file answers without torch, and as its network does."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from dda.core.errors import SetupError
from dda.io import devices, runtimes
from dda.io.detecting import Detector
from dda.io.detectors import NetworkJudge
from dda.io.runtimes import OnnxRuntime
from tests import small_detector

HEAVY = {"torch", "timm", "pandas", "sklearn", "scipy", "mlflow", "cv2", "skimage", "pyarrow"}
RUN = """
import sys
from dda.cli import main
sys.argv = ["dda", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_detector.write(tmp_path_factory.mktemp("detector") / "small", ["onnx"])


@pytest.fixture
def copy(folder, tmp_path):
    import shutil

    return shutil.copytree(folder, tmp_path / "copy")


def test_both_runtimes_answer_alike(folder):
    fast, network = runtimes.load(folder, "cpu", "float32"), NetworkJudge.load(folder, "cpu")
    assert isinstance(fast, OnnxRuntime)
    assert fast.description == network.description
    wanted = network.scores(small_detector.WINDOWS)
    assert fast.scores(small_detector.WINDOWS) == pytest.approx(wanted, abs=1e-4)
    assert [fast.scores([window])[0] for window in small_detector.WINDOWS] == pytest.approx(wanted, abs=1e-4)


def test_many_threads_get_the_same_answers(folder):
    detector = Detector.load(folder, "cpu")
    wanted = [one.logit for one in detector.predict(small_detector.PHOTOS)]
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: detector.predict(small_detector.PHOTOS), range(32)):
            assert [one.logit for one in found] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("verb", ["detect", "score"])
def test_a_verdict_needs_neither_torch_nor_anything_else_that_takes_long_to_import(folder, tmp_path, verb):
    from PIL import Image

    Image.fromarray(small_detector.PHOTOS[0]).save(tmp_path / "photo.png")
    command = [sys.executable, "-c", RUN, verb, "--model", str(folder), str(tmp_path / "photo.png")]
    environment = {"DDA_DEVICE": "cpu"}
    import os

    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    assert "photo.png" in done.stdout
    modules = set(done.stderr.split())
    assert "onnxruntime" in modules
    assert modules & HEAVY == set()


def test_another_file_than_the_description_names_is_refused(copy):
    (copy / "model.onnx").write_bytes((copy / "model.onnx").read_bytes() + b"\0")
    with pytest.raises(SetupError, match="its sha256 is another one"):
        Detector.load(copy, "cpu")
    (copy / "model.onnx").unlink()
    assert isinstance(Detector.load(copy, "cpu").runtime, NetworkJudge)


def test_an_onnx_file_that_no_description_names_is_not_run(copy):
    description = json.loads((copy / "detector.json").read_text())
    for odd in ({}, {"onnx": 5}, [], None, {"onnx": {}}):
        (copy / "detector.json").write_text(json.dumps(description | {"exports": odd}))
        assert isinstance(runtimes.load(copy, "cpu", "float32"), NetworkJudge)


def test_a_file_that_takes_something_else_is_refused(copy, tmp_path):
    other = {**small_detector.ROW, "preprocessing": {**small_detector.ROW["preprocessing"], "input_px": 32}}
    description = json.loads((copy / "detector.json").read_text())
    described = description | {"preprocessing": other["preprocessing"]}
    (copy / "detector.json").write_text(json.dumps(described))
    with pytest.raises(SetupError, match=r"it must take windows, uint8 \[any number, 32, 32, 3\]"):
        Detector.load(copy, "cpu")


def test_what_only_torch_can_is_done_by_torch(folder):
    assert isinstance(runtimes.load(folder, "cpu", "bfloat16"), NetworkJudge)


def test_a_device_that_is_named_is_believed_and_a_hidden_gpu_is_none(monkeypatch):
    monkeypatch.setenv("DDA_DEVICE", "cuda:1")
    assert (devices.is_cpu(None), devices.is_cpu("cpu"), devices.is_cpu("cuda")) == (False, True, False)
    monkeypatch.setenv("DDA_DEVICE", "cpu")
    assert devices.is_cpu(None)
    monkeypatch.delenv("DDA_DEVICE")
    monkeypatch.setattr(devices, "DRIVERS", ("libc.so.6",))
    assert not devices.is_cpu(None)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.is_cpu(None)
