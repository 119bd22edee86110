"""An exported detector answers as its network, by a page that says how, and tells nobody that it was asked."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dda.core import export_card
from dda.core.errors import SetupError
from dda.core.windows import centre_window
from dda.io import detectors, exports, onnx_sessions, photos
from dda.io.detectors import NetworkJudge
from tests import small_detector

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_detector.write(tmp_path_factory.mktemp("detector") / "small")


@pytest.fixture(scope="module")
def exported(folder, tmp_path_factory):
    """What was exported in both formats, and what was said of it."""
    output = tmp_path_factory.mktemp("exported") / "out"
    return output, exports.write(folder, output, ["pt2", "onnx"], small_detector.WINDOWS)


def logits_of(path, windows):
    if path.suffix == ".onnx":
        return onnx_sessions.opened(path).run(["logits"], {"windows": windows})[0]
    import torch

    return torch.export.load(path).module()(torch.from_numpy(windows)).numpy()


@pytest.mark.parametrize("name", exports.FORMATS.values())
@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_file_answers_any_number_of_windows_as_the_network(folder, exported, name, n):
    windows = np.stack(small_detector.WINDOWS[:n])
    found = logits_of(exported[0] / name, windows)
    assert (found.shape, found.dtype) == ((n,), np.float32)
    assert list(found) == pytest.approx(NetworkJudge.load(folder, "cpu").scores(list(windows)), abs=1e-4)


def test_what_is_said_of_the_files_is_true(exported):
    output, facts = exported
    kept = json.loads((output / "detector.json").read_text())["exports"]
    for kind, name in exports.FORMATS.items():
        assert facts[kind]["sha256"] == kept[kind]["sha256"] == photos.sha256((output / name).read_bytes())
        assert facts[kind]["max_difference"] <= kept[kind]["max_difference"] <= 1e-4
    assert sorted(path.name for path in output.iterdir()) == ["detector.json", "model.onnx", "model.pt2"]


def test_the_examples_of_its_page_run_and_give_the_logit(folder, exported, tmp_path):
    shutil.copytree(exported[0], tmp_path, dirs_exist_ok=True)
    judge = NetworkJudge.load(folder, "cpu")
    examples = BLOCK.findall(export_card.page(detectors.described(tmp_path)))
    assert len(examples) == 2
    pixels = small_detector.PHOTOS[0]  # narrower than a window, and higher
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    for example in examples:
        done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert float(done.stdout) == pytest.approx(judge.scores([centre_window(pixels, 64)])[0], abs=1e-4)


def test_the_same_detector_gives_the_same_onnx_file_which_names_no_place_of_this_machine(folder, exported, tmp_path):
    exports.write(folder, tmp_path, ["onnx"], small_detector.WINDOWS)
    content = (tmp_path / "model.onnx").read_bytes()
    assert content == (exported[0] / "model.onnx").read_bytes()
    for place in (sys.prefix, str(ROOT), "site-packages"):
        assert place.encode() not in content
        assert place.encode() not in (exported[0] / "model.pt2").read_bytes()


def test_a_file_that_answers_otherwise_is_never_written(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "TOLERANCE", -1.0)
    with pytest.raises(SetupError, match="logits differ from its network's by"):
        exports.write(folder, tmp_path / "out", ["onnx"], small_detector.WINDOWS)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_wrong_wish_is_a_sentence(folder, tmp_path):
    with pytest.raises(SetupError, match=r"no format 'onx'\. Did you mean 'onnx'"):
        exports.write(folder, tmp_path, ["onx"], small_detector.WINDOWS)
    with pytest.raises(SetupError, match="the detector's own folder"):
        exports.write(folder, folder, ["onnx"], small_detector.WINDOWS)
    with pytest.raises(SetupError, match="no detector in"):
        exports.write(tmp_path, tmp_path / "out", ["onnx"], small_detector.WINDOWS)


def test_weights_that_are_too_large_for_one_file_lie_beside_it(folder, exported, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "APART_BYTES", 1000)
    facts = exports.write(folder, tmp_path, ["onnx"], small_detector.WINDOWS)["onnx"]
    assert facts["data_sha256"] == photos.sha256((tmp_path / "model.onnx.data").read_bytes())
    windows = np.stack(small_detector.WINDOWS)
    wanted = logits_of(exported[0] / "model.onnx", windows)
    assert list(logits_of(tmp_path / "model.onnx", windows)) == pytest.approx(list(wanted), abs=1e-5)


def test_a_vision_transformer_with_its_adapters_added_in_is_exported(tmp_path):
    import torch

    from dda.core.networks import adapt, build_network
    from tests.io.test_detectors import ADAPTED, describe

    torch.manual_seed(1)
    network = adapt(build_network(ADAPTED), ADAPTED)
    for name, weight in network.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    detectors.save(tmp_path / "vit", network.eval(), describe("vit", ADAPTED, "dda 0.0.0"), "# card")
    exports.add(tmp_path / "vit", ["onnx", "pt2"], small_detector.WINDOWS)
    windows = small_detector.WINDOWS[:3]
    wanted = NetworkJudge.load(tmp_path / "vit", "cpu").scores(windows)
    for name in exports.FORMATS.values():
        assert list(logits_of(tmp_path / "vit" / name, np.stack(windows))) == pytest.approx(wanted, abs=1e-4)


def test_onnxruntime_is_told_to_report_nothing_before_it_is_imported(exported, tmp_path):
    """Else it leaves the mark of this machine in the user's cache, and sends it along with each session."""
    code = (
        "import sys, time; from pathlib import Path; from dda.io import onnx_sessions\n"
        "onnx_sessions.opened(Path(sys.argv[1])); time.sleep(0.3)"
    )
    homes = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    environment = {name: value for name, value in os.environ.items() if name != onnx_sessions.SILENT} | homes
    command = [sys.executable, "-c", code, str(exported[0] / "model.onnx")]
    subprocess.run(command, env=environment, check=True, cwd=tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
