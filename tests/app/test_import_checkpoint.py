"""The authors' checkpoint becomes a detector's folder that gives the logits of an independent forward pass."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from dda import Detector, catalog, cli
from dda.app import import_checkpoint
from dda.core.errors import SetupError
from dda.core.networks import build_network, logits_of
from dda.core.published import convert, recognise
from dda.embedded.photos import PHOTOGRAPHS, originals
from dda.io import detectors
from tests import checkpoints

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PHOTOS = [originals(photograph)[0].convert("RGB").resize((336, 336)) for photograph in PHOTOGRAPHS[:2]]


def normalised(photos):
    pixels = torch.from_numpy(np.stack([np.asarray(photo) for photo in photos])).permute(0, 3, 1, 2).float() / 255
    return (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


@pytest.fixture(scope="module")
def tensors():
    return checkpoints.published()


@pytest.fixture(scope="module")
def file(tensors, tmp_path_factory):
    path = tmp_path_factory.mktemp("authors") / "DDA_ckpt.pth"
    torch.save({"model": tensors, "epoch": 1}, path)
    return path


@pytest.fixture(scope="module")
def expected(tensors):
    with torch.inference_mode():
        return checkpoints.forward(tensors, normalised(PHOTOS)).tolist()


@pytest.fixture(scope="module")
def imported(file, tmp_path_factory):
    """The folder that the command writes, and what it says."""
    folder = tmp_path_factory.mktemp("imported") / "dda"
    done = CliRunner().invoke(cli.app, ["import-checkpoint", str(file), "--output", str(folder)])
    assert done.exit_code == 0, done.output
    return folder, done.stdout


def test_logits_equal_those_of_an_independent_forward_pass(imported, expected):
    found = [one.logit for one in Detector.load(imported[0], "cpu").predict(PHOTOS)]
    assert abs(expected[0] - expected[1]) > 0.01
    assert found == pytest.approx(expected, abs=1e-4)


def test_the_unmerged_adapter_gives_the_same_logits(imported, tensors, expected):
    from peft import PeftModel

    backbone = build_network(catalog.get("detectors", "dinov2-s14"))
    shapes = {name: tuple(tensor.shape) for name, tensor in backbone.state_dict().items()}
    backbone.load_state_dict(convert(tensors, shapes, recognise(tensors)).network)
    with torch.inference_mode():
        plain = logits_of(backbone.eval(), normalised(PHOTOS)).tolist()
        adapted = PeftModel.from_pretrained(backbone, imported[0] / "adapter").eval()
        found = logits_of(adapted, normalised(PHOTOS)).tolist()
    assert found == pytest.approx(expected, abs=1e-4)
    assert abs(plain[0] - expected[0]) > 0.01


def test_the_command_tells_network_size_and_rank(imported):
    told = "dinov2-s14: vit_small_patch14_dinov2.lvd142m, 21,752,065 parameters, LoRA of rank 8, scale 1/8; all weights"
    assert imported[1].startswith(told)
    assert "hub" not in imported[1]


def test_the_folder_says_where_it_comes_from_and_that_nobody_calibrated_it(imported, file):
    folder = imported[0]
    described = json.loads((folder / "detector.json").read_text())
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "detector.json", "card.md", "adapter"}
    assert described["source"]["bytes"] == file.stat().st_size
    assert described["calibration"] == {"temperature": None, "thresholds": {}, "fitted_on": None}
    assert described["adapter"] | {"targets": ""} == {"rank": 8, "alpha": 1, "targets": "", "dora": False}
    card = (folder / "card.md").read_text()
    for told in (described["source"]["sha256"], "arXiv:2505.14359", "COCO train2017", "Not calibrated", "another file"):
        assert told in card


def test_detect_judges_by_it(imported, expected, tmp_path):
    PHOTOS[0].save(tmp_path / "photo.png")
    done = CliRunner().invoke(cli.app, ["detect", str(tmp_path / "photo.png"), "--model", str(imported[0])])
    assert f"logit {expected[0]:+.2f}" in done.stdout


def test_alpha_scales_the_adapters_and_an_old_detector_is_replaced(imported, tensors, file, tmp_path):
    folder = shutil.copytree(imported[0], tmp_path / "dda")
    import_checkpoint.run(file, folder, 4.0)
    with torch.inference_mode():
        wanted = checkpoints.forward(tensors, normalised(PHOTOS), alpha=4.0).tolist()
    assert [one.logit for one in Detector.load(folder, "cpu").predict(PHOTOS)] == pytest.approx(wanted, abs=1e-4)


def refused(tmp_path, tensors, output=None):
    torch.save({"model": tensors}, tmp_path / "other.pth")
    with pytest.raises(SetupError) as told:
        import_checkpoint.run(tmp_path / "other.pth", output or tmp_path / "out", 1.0)
    assert not (tmp_path / "out" / "detector.json").exists()
    return str(told.value)


def test_a_key_that_is_missing_and_one_that_is_left_over_are_named(tensors, tmp_path):
    key = "base_model.model.blocks.11.mlp.fc1.original_layer.bias"
    given = {name: tensor for name, tensor in tensors.items() if name != key} | {"ema.decay": torch.ones(1)}
    told = refused(tmp_path, given)
    assert told.startswith(f"cannot import {tmp_path / 'other.pth'}: 1 key missing: {key}; 1 key left over: ema.decay")


def test_an_unknown_width_names_the_known_ones(tmp_path):
    assert "have 64 dimensions. Known: 384 (dinov2-s14)" in refused(tmp_path, checkpoints.published(64, 1))


def test_a_file_with_more_than_tensors_is_refused(tensors, tmp_path):
    assert "is not loaded, since it could run code" in refused(tmp_path, {"a": Image.new("L", (1, 1))})


@pytest.mark.parametrize("names", [["thesis.tex"], ["model.safetensors"], ["card.md", "notes.txt"]])
def test_a_folder_with_anything_else_in_it_is_left_alone(file, tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("mine")
    with pytest.raises(SetupError, match="holds what is no detector of ours"):
        import_checkpoint.run(file, tmp_path, 1.0)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(names, "mine")


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
def test_an_alpha_that_scales_nothing_is_refused(file, tmp_path, alpha):
    with pytest.raises(SetupError, match="must be above 0"):
        import_checkpoint.run(file, tmp_path / "out", alpha)


def test_an_output_that_is_a_file_is_refused(file, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(SetupError, match="is a file"):
        import_checkpoint.run(file, tmp_path / "out", 1.0)


def test_a_save_that_is_stopped_leaves_no_description_and_may_be_repeated(imported, file, tmp_path, monkeypatch):
    folder = shutil.copytree(imported[0], tmp_path / "dda")

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(detectors, "_save_tensors", stopped)
        with pytest.raises(KeyboardInterrupt):
            import_checkpoint.run(file, folder, 1.0)
    assert not (folder / "detector.json").exists()
    import_checkpoint.run(file, folder, 1.0)
    assert (folder / "detector.json").exists()


@pytest.fixture
def away(tmp_path, monkeypatch):
    """The hub is out of reach, and its cache empty."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def cached(away, tmp_path, tensors):
    """The cache has the backbone as timm publishes it."""
    model = checkpoints.MODEL
    own = {one: tensor for one, tensor in tensors.items() if one.startswith(model) and ".lora." not in one}
    own.pop(f"{model}mask_token")
    weights = {one.removeprefix(model).replace("original_layer.", ""): tensor for one, tensor in own.items()}
    checkpoints.write_cache(tmp_path / "hub", "vit_small_patch14_dinov2.lvd142m", weights)


def test_a_file_without_its_backbone_gets_it_from_the_hub(cached, tensors, expected, tmp_path, capsys):
    torch.save(checkpoints.without_backbone(tensors), tmp_path / "small.pth")
    import_checkpoint.run(tmp_path / "small.pth", tmp_path / "out", 1.0)
    assert "21,752,065 parameters, 88,224,768 bytes from the hub unless they are cached" in capsys.readouterr().out
    found = [one.logit for one in Detector.load(tmp_path / "out", "cpu").predict(PHOTOS)]
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_hub_out_of_reach_is_a_sentence(away, tensors, tmp_path):
    told = refused(tmp_path, checkpoints.without_backbone(tensors))
    assert told.startswith("cannot get the weights of vit_small_patch14_dinov2.lvd142m: ")
    assert told.endswith("connect once, so that they are cached, and unset HF_HUB_OFFLINE where it is set")
