"""A detector's folder: what was saved judges as before, and what does not fit is a sentence."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch

from dda import catalog
from dda.core.descriptions import describe
from dda.core.errors import SetupError
from dda.core.networks import adapt, build_network, logits_of
from dda.embedded.photos import PHOTOGRAPHS, originals
from dda.io import detectors
from dda.io.detectors import ADAPTER, CARD, DESCRIPTION, WEIGHTS, NetworkJudge

ROW = {
    "backbone": "resnet10t",
    "options": {},
    "lora": None,
    "preprocessing": {
        **{"input_px": 64, "crop": "centre", "pad": "black"},
        **{"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
    },
    "licence": "Apache-2.0",
}
SMALL = describe("small", ROW, "dda 0.0.0")
LORA = {**catalog.get("detectors", "dinov2-l14")["lora"], "rank": 4, "alpha": 2}
ADAPTED = {
    **ROW,
    "backbone": "vit_tiny_patch16_224",
    "options": {"img_size": 64, "depth": 2},
    "trains": "lora",
    "lora": LORA,
}
IMAGES = [np.asarray(originals(photograph)[0])[:90, : 50 + 30 * i] for i, photograph in enumerate(PHOTOGRAPHS[:3])]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_network(SMALL["architecture"]).eval()


@pytest.fixture(scope="module")
def saved(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("detectors") / "small"
    detectors.save(folder, network, SMALL, "# card")
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "small")


def describe_anew(folder, **changes):
    (folder / DESCRIPTION).write_text(json.dumps({**SMALL, **changes}))


def test_a_saved_detector_gives_the_same_logits(network, saved):
    logits = NetworkJudge.load(saved, "cpu").logits(IMAGES)
    assert logits == NetworkJudge(network, SMALL, "cpu").logits(IMAGES)
    assert len(set(logits)) == len(IMAGES)
    assert all(isinstance(logit, float) for logit in logits)


def test_a_folder_holds_the_weights_and_the_description(saved):
    digest = hashlib.sha256((saved / WEIGHTS).read_bytes()).hexdigest()
    assert {path.name for path in saved.iterdir()} == {WEIGHTS, DESCRIPTION, CARD}
    assert json.loads((saved / DESCRIPTION).read_text()) == {**SMALL, "weights_sha256": digest}
    assert NetworkJudge.load(saved, "cpu").description == {**SMALL, "weights_sha256": digest}


def test_the_same_network_gives_the_same_bytes(network, saved, tmp_path):
    detectors.save(tmp_path, network, SMALL, "# card")
    assert (tmp_path / WEIGHTS).read_bytes() == (saved / WEIGHTS).read_bytes()


def test_a_loaded_detector_is_ready_to_judge(saved):
    assert not NetworkJudge.load(saved, "cpu").network.training


def test_the_logit_of_an_image_does_not_depend_on_its_neighbours(saved):
    detector = NetworkJudge.load(saved, "cpu")
    alone = [detector.logits([image])[0] for image in IMAGES]
    assert detector.logits(IMAGES) == pytest.approx(alone, abs=1e-4)


def test_a_detector_sees_the_centre_in_its_own_preprocessing(saved, copy):
    padded = np.zeros((300, 300, 3), np.uint8)
    padded[118:182, 118:182] = IMAGES[2][:64, :64]
    detector = NetworkJudge.load(saved, "cpu")
    assert detector.logits([padded]) == detector.logits([IMAGES[2][:64, :64]])
    describe_anew(copy, preprocessing={**SMALL["preprocessing"], "mean": [0.1, 0.2, 0.3]})
    assert NetworkJudge.load(copy, "cpu").logits([padded]) != detector.logits([padded])


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_folder_without_a_detector_names_the_next_step(tmp_path, name):
    with pytest.raises(SetupError, match=r"no detector in .*: run `dvc repro train`"):
        NetworkJudge.load(tmp_path / name)


def test_missing_weights_are_a_sentence(copy):
    (copy / WEIGHTS).unlink()
    with pytest.raises(SetupError, match="do not fit"):
        NetworkJudge.load(copy, "cpu")


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", b"\xff" * 64], ids=["empty", "text", "ones"])
def test_corrupt_weights_are_a_sentence(copy, content):
    describe_anew(copy)
    (copy / WEIGHTS).write_bytes(content)
    with pytest.raises(SetupError, match="do not fit"):
        NetworkJudge.load(copy, "cpu")


def test_truncated_weights_are_a_sentence(copy):
    describe_anew(copy)
    (copy / WEIGHTS).write_bytes((copy / WEIGHTS).read_bytes()[:-1000])
    with pytest.raises(SetupError, match="do not fit"):
        NetworkJudge.load(copy, "cpu")


def test_weights_of_other_shapes_are_a_sentence(copy):
    describe_anew(copy, architecture={"backbone": "resnet10t", "options": {"in_chans": 1}})
    with pytest.raises(SetupError, match=r"do not fit.*(?s:.*)size mismatch"):
        NetworkJudge.load(copy, "cpu")


def test_weights_of_another_network_are_a_sentence(copy):
    describe_anew(copy, architecture={"backbone": "resnet18", "options": {}})
    with pytest.raises(SetupError, match="do not fit"):
        NetworkJudge.load(copy, "cpu")


@pytest.mark.parametrize("text", ["{", "[]", "{}"], ids=["cut", "list", "empty"])
def test_a_damaged_description_is_a_sentence(copy, text):
    (copy / DESCRIPTION).write_text(text)
    with pytest.raises(SetupError, match=DESCRIPTION):
        NetworkJudge.load(copy, "cpu")


def test_a_backbone_that_timm_does_not_know_is_a_sentence(copy):
    describe_anew(copy, architecture={"backbone": "resnet9000", "options": {}})
    with pytest.raises(SetupError, match="resnet9000"):
        NetworkJudge.load(copy, "cpu")


def test_a_save_that_breaks_off_leaves_no_old_description_beside_new_weights(network, copy):
    before = (copy / WEIGHTS).read_bytes()
    other = build_network(SMALL["architecture"])
    with pytest.raises(TypeError):
        detectors.save(copy, other, {**SMALL, "cannot": object()}, "# card")
    assert (copy / WEIGHTS).read_bytes() == before or not (copy / DESCRIPTION).exists()


def test_weights_that_are_not_those_described_are_told(network, copy):
    described = (copy / DESCRIPTION).read_text()
    torch.manual_seed(1)
    detectors.save(copy, build_network(SMALL["architecture"]), SMALL, "# card")
    (copy / DESCRIPTION).write_text(described)
    with pytest.raises(SetupError, match="its sha256 is another one"):
        NetworkJudge.load(copy)


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (
            "preprocessing",
            {**ROW["preprocessing"], "crop": "corner"},
            "preprocessing.crop is 'corner', it must be",
        ),
        ("preprocessing", {**ROW["preprocessing"], "std": [1, 1, 0]}, "preprocessing.std is"),
        ("labels", {"real": 1, "fake": 0}, "labels is"),
        ("calibration", {"temperature": 0, "thresholds": {}}, "calibration.temperature is 0"),
        ("calibration", {"temperature": 1.0, "thresholds": {"one": 2}}, "calibration.thresholds is"),
        ("architecture", {"backbone": "resnet10t"}, "architecture.options is missing"),
    ],
)
def test_a_description_that_says_what_cannot_be_is_a_sentence(copy, place, value, told):
    describe_anew(copy, **{place: value})
    with pytest.raises(SetupError, match=f"describes no detector: {told}"):
        NetworkJudge.load(copy)


@pytest.fixture(scope="module", params=[False, True], ids=["lora", "dora"])
def adapted(request, tmp_path_factory):
    """A folder of an adapted network, that network, and its backbone's weights before."""
    torch.manual_seed(0)
    row = {**ADAPTED, "lora": {**LORA, "dora": request.param}}
    plain = build_network(row)
    weights = {name: tensor.clone() for name, tensor in plain.state_dict().items()}
    network = adapt(plain, row)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn_like(weight), alpha=0.1)
    folder = tmp_path_factory.mktemp("adapted") / "vit"
    detectors.save(folder, network.eval(), describe("vit", row, "dda 0.0.0"), "# card")
    return folder, network, weights


def test_an_adapted_network_is_saved_with_its_adapter_merged(adapted):
    folder, network, _ = adapted
    described = describe("vit", ADAPTED, "dda 0.0.0")
    assert NetworkJudge.load(folder, "cpu").logits(IMAGES) == pytest.approx(
        NetworkJudge(network, described, "cpu").logits(IMAGES), abs=1e-4
    )


def test_peft_reads_the_adapter_onto_the_same_backbone(adapted):
    from peft import PeftModel

    folder, network, weights = adapted
    backbone = build_network(ADAPTED)
    backbone.load_state_dict(weights)
    loaded = PeftModel.from_pretrained(backbone, folder / ADAPTER).eval()
    images = torch.randn(2, 3, 64, 64)
    assert torch.allclose(logits_of(loaded, images), logits_of(network, images), atol=1e-5)
    assert {path.name for path in (folder / ADAPTER).iterdir()} == {"adapter_model.safetensors", "adapter_config.json"}


def test_no_old_adapter_lies_beside_weights_without_one(adapted, network, tmp_path):
    folder = shutil.copytree(adapted[0], tmp_path / "vit")
    detectors.save(folder, network, SMALL, "# card")
    assert {path.name for path in folder.iterdir()} == {WEIGHTS, DESCRIPTION, CARD}
