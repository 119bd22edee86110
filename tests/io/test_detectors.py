"""A detector's folder: what was saved judges as before, and what does not fit is a sentence."""

import json
import shutil

import numpy as np
import pytest
import torch

from dda.core.errors import SetupError
from dda.core.networks import build_network
from dda.embedded.photos import PHOTOGRAPHS, originals
from dda.io import detectors
from dda.io.detectors import DESCRIPTION, WEIGHTS, Detector

SMALL = {
    "architecture": {"backbone": "resnet10t", "options": {}},
    "preprocessing": {"input_px": 64, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
}
IMAGES = [np.asarray(originals(photograph)[0])[:90, : 50 + 30 * i] for i, photograph in enumerate(PHOTOGRAPHS[:3])]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_network(SMALL["architecture"]).eval()


@pytest.fixture(scope="module")
def saved(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("detectors") / "small"
    detectors.save(folder, network, SMALL)
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "small")


def describe(folder, **changes):
    (folder / DESCRIPTION).write_text(json.dumps({**SMALL, **changes}))


def test_a_saved_detector_gives_the_same_logits(network, saved):
    logits = detectors.load(saved).logits(IMAGES)
    assert logits == Detector(network, SMALL, "cpu").logits(IMAGES)
    assert len(set(logits)) == len(IMAGES)
    assert all(isinstance(logit, float) for logit in logits)


def test_a_folder_holds_the_weights_and_the_description(saved):
    assert {path.name for path in saved.iterdir()} == {WEIGHTS, DESCRIPTION}
    assert json.loads((saved / DESCRIPTION).read_text()) == SMALL
    assert detectors.load(saved).description == SMALL


def test_the_same_network_gives_the_same_bytes(network, saved, tmp_path):
    detectors.save(tmp_path, network, SMALL)
    assert (tmp_path / WEIGHTS).read_bytes() == (saved / WEIGHTS).read_bytes()


def test_a_loaded_detector_is_ready_to_judge(saved):
    assert not detectors.load(saved).network.training


def test_the_logit_of_an_image_does_not_depend_on_its_neighbours(saved):
    detector = detectors.load(saved)
    alone = [detector.logits([image])[0] for image in IMAGES]
    assert detector.logits(IMAGES) == pytest.approx(alone, abs=1e-4)


def test_a_detector_sees_the_centre_in_its_own_preprocessing(saved, copy):
    padded = np.zeros((300, 300, 3), np.uint8)
    padded[118:182, 118:182] = IMAGES[2][:64, :64]
    detector = detectors.load(saved)
    assert detector.logits([padded]) == detector.logits([IMAGES[2][:64, :64]])
    describe(copy, preprocessing={**SMALL["preprocessing"], "mean": [0.1, 0.2, 0.3]})
    assert detectors.load(copy).logits([padded]) != detector.logits([padded])


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_folder_without_a_detector_names_the_next_step(tmp_path, name):
    with pytest.raises(SetupError, match=r"no detector in .*: run `dvc repro train`"):
        detectors.load(tmp_path / name)


def test_missing_weights_are_a_sentence(copy):
    (copy / WEIGHTS).unlink()
    with pytest.raises(SetupError, match="do not fit"):
        detectors.load(copy)


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", b"\xff" * 64], ids=["empty", "text", "ones"])
def test_corrupt_weights_are_a_sentence(copy, content):
    (copy / WEIGHTS).write_bytes(content)
    with pytest.raises(SetupError, match="do not fit"):
        detectors.load(copy)


def test_truncated_weights_are_a_sentence(copy):
    (copy / WEIGHTS).write_bytes((copy / WEIGHTS).read_bytes()[:-1000])
    with pytest.raises(SetupError, match="do not fit"):
        detectors.load(copy)


def test_weights_of_other_shapes_are_a_sentence(copy):
    describe(copy, architecture={"backbone": "resnet10t", "options": {"in_chans": 1}})
    with pytest.raises(SetupError, match=r"do not fit.*(?s:.*)size mismatch"):
        detectors.load(copy)


def test_weights_of_another_network_are_a_sentence(copy):
    describe(copy, architecture={"backbone": "resnet18", "options": {}})
    with pytest.raises(SetupError, match="do not fit"):
        detectors.load(copy)


@pytest.mark.parametrize("text", ["{", "[]", "{}"], ids=["cut", "list", "empty"])
def test_a_damaged_description_is_a_sentence(copy, text):
    (copy / DESCRIPTION).write_text(text)
    with pytest.raises(SetupError, match=DESCRIPTION):
        detectors.load(copy)


def test_a_backbone_that_timm_does_not_know_is_a_sentence(copy):
    describe(copy, architecture={"backbone": "resnet9000", "options": {}})
    with pytest.raises(SetupError, match="resnet9000"):
        detectors.load(copy)


def test_a_save_that_breaks_off_leaves_no_old_description_beside_new_weights(network, copy):
    before = (copy / WEIGHTS).read_bytes()
    other = build_network(SMALL["architecture"])
    with pytest.raises(TypeError):
        detectors.save(copy, other, {"cannot": object()})
    assert (copy / WEIGHTS).read_bytes() == before or not (copy / DESCRIPTION).exists()
