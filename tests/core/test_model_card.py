"""A detector's card says what its description says, in a form that Hugging Face reads."""

import copy

import pytest
import yaml

from dda import catalog
from dda.core.descriptions import describe
from dda.core.model_card import detector_card

TRAINED = describe("dinov2-l14", catalog.get("detectors", "dinov2-l14"), "dda 0.1.0") | {
    "data": {"sd21": {"pairs_sha256": "abc123"}},
    "training": {"lr": 0.0001, "epochs": 3, "vaes": ["sd21"]},
    "selected": {"epoch": 2, "val_balanced_accuracy": 0.91234567},
}
IMPORTED = describe("dinov2-l14", catalog.get("detectors", "dinov2-l14"), "dda 0.1.0") | {
    "source": {"file": "DDA_ckpt.pth", "sha256": "b27a31d3" + "0" * 56, "bytes": 1_255_621_296}
}


def front_matter(card):
    _, told, _ = card.split("---\n", 2)
    return yaml.safe_load(told)


NETWORKS = [name for name, row in catalog.table("detectors").items() if "kind" not in row]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_front_matter_of_every_detectors_card_is_yaml(name):
    row = catalog.get("detectors", name)
    told = front_matter(detector_card(describe(name, row, "dda 0.1.0")))
    assert told["license"] in {"apache-2.0", "mit", "other"}
    assert (told["license"] == "other") == ("license_name" in told)
    assert ("base_model" in told) == row["pretrained"]
    assert told["library_name"] == "dda"


def test_a_card_of_a_training_has_data_settings_and_the_selection():
    card = detector_card(TRAINED)
    assert "- sd21: pairs_sha256 abc123" in card
    assert '- lr: 0.0001\n- epochs: 3\n- vaes: ["sd21"]\n' in card
    assert "Selected on the validation split: epoch 2, val_balanced_accuracy 0.912346." in card
    assert "LoRA of rank 8 and alpha 1" in card
    assert "Not calibrated" in card


def test_a_card_of_the_authors_checkpoint_knows_it_by_size_and_digest():
    assert "this file is that one, by both" in detector_card(IMPORTED)
    other = copy.deepcopy(IMPORTED)
    other["source"]["bytes"] += 1
    assert "this is another file, of which nothing is known here" in detector_card(other)


def test_a_calibrated_card_has_temperature_and_thresholds():
    calibration = {"temperature": 1.25, "thresholds": {"0.01": 2.5, "0.05": 1.125}, "fitted_on": {"reals": 400}}
    card = detector_card({**TRAINED, "calibration": calibration})
    assert "Temperature 1.25" in card
    assert "| 1% | +2.500 |\n| 5% | +1.125 |" in card
    assert "Fitted on: reals 400." in card
    assert "Not calibrated" not in card


def test_code_weights_and_data_have_their_own_licences():
    told = detector_card(TRAINED).partition("## Licences")[2]
    assert [line.partition(":")[0] for line in told.splitlines() if line.startswith("- ")] == [
        "- code",
        "- weights",
        "- data",
    ]


def test_the_same_description_has_the_same_card():
    assert detector_card(TRAINED) == detector_card(copy.deepcopy(TRAINED))
