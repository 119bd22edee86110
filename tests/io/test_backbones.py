"""Published weights come out of the hub's cache, with DINOv2's positions as its authors resize them."""

import pytest
import timm
import torch

from dda import catalog
from dda.core.errors import SetupError
from dda.io import backbones
from tests import checkpoints


@pytest.fixture(autouse=True)
def away(tmp_path, monkeypatch):
    """The hub is out of reach; what is cached lies in the folder of the test."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


def cached(name, tmp_path):
    """The weights of a row's backbone, of random numbers, which are now in the cache."""
    torch.manual_seed(0)
    backbone = catalog.get("detectors", name)["backbone"]
    weights = {one: torch.randn_like(tensor) for one, tensor in timm.create_model(backbone).state_dict().items()}
    checkpoints.write_cache(tmp_path, backbone, weights)
    return weights


def test_dinov2_with_registers_starts_from_its_weights_with_smoothed_positions(tmp_path, one_thread):
    weights = cached("dinov2-s14-reg", tmp_path)
    found = backbones.build(catalog.get("detectors", "dinov2-s14-reg")).state_dict()
    square = weights["pos_embed"].reshape(1, 37, 37, 384).permute(0, 3, 1, 2)
    wanted = torch.nn.functional.interpolate(square, size=(24, 24), mode="bicubic", antialias=True)
    assert torch.equal(found.pop("pos_embed"), wanted.permute(0, 2, 3, 1).reshape(1, 576, 384))
    assert {one for one, tensor in found.items() if not torch.equal(tensor, weights.get(one, tensor * 0))} == {
        "head.weight"
    }


def test_dinov3_starts_from_its_weights(tmp_path, capsys, one_thread):
    weights = cached("dinov3-s16", tmp_path)
    found = backbones.build(catalog.get("detectors", "dinov3-s16")).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in weights.items())
    assert "21,587,329 parameters, 86,347,776 bytes from the hub" in capsys.readouterr().out


def test_a_network_without_published_weights_asks_nobody(capsys):
    assert backbones.build(catalog.get("detectors", "embedded")).num_classes == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["dinov2-s14", "resnet50"])
def test_a_hub_out_of_reach_is_a_sentence(name):
    with pytest.raises(SetupError, match=r"cannot get the weights of .*: connect once, so that they are cached"):
        backbones.build(catalog.get("detectors", name))
