"""Every detector of the catalog can be built, adapted, asked for features, and merged."""

import re

import pytest
import torch

from dda import catalog
from dda.core.errors import SetupError
from dda.core.networks import adapt, build_network, features_and_logits, logits_of, merge_lora

ROWS = {name: row for name, row in catalog.table("detectors").items() if "kind" not in row}
BY_LORA = [name for name, row in ROWS.items() if row["trains"] == "lora"]
LORA = ROWS["dinov2-l14"]["lora"]
TINY = {
    "backbone": "vit_tiny_patch16_224",
    "options": {"img_size": 32, "depth": 2},
    "trains": "lora",
    "lora": LORA,
}


def trained(network):
    return {name: weight.numel() for name, weight in network.named_parameters() if weight.requires_grad}


def learnt(row):
    """An adapted network after three steps, and images."""
    torch.manual_seed(0)
    network, images = adapt(build_network(row), row), torch.randn(4, 3, 32, 32)
    optimiser = torch.optim.AdamW([weight for weight in network.parameters() if weight.requires_grad], lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        logits_of(network, images).sum().backward()
        optimiser.step()
    return network.eval(), images


@pytest.mark.parametrize("name", ROWS)
def test_every_row_builds_and_gives_one_logit_an_image(name):
    row = ROWS[name]
    size = row["preprocessing"]["input_px"]
    with torch.device("meta"):
        network = build_network(row).eval()
        features, logits = features_and_logits(network, torch.empty(2, 3, size, size))
    assert features.shape == (2, network.num_features)
    assert logits.shape == (2,)
    assert row.get("parameters") in (None, sum(weight.numel() for weight in network.parameters()))


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_complete(name):
    facts = {"backbone", "options", "pretrained", "trains", "lora", "preprocessing", "licence"}
    row = ROWS[name]
    assert set(row) == facts | ({"parameters", "download_bytes"} if row["pretrained"] else set())
    assert set(row["preprocessing"]) == {"input_px", "crop", "pad", "mean", "std"}
    assert (row["lora"] is not None) == (row["trains"] == "lora")


@pytest.mark.parametrize("name", BY_LORA)
def test_lora_reaches_every_linear_layer_of_every_block(name):
    row = ROWS[name]
    with torch.device("meta"):
        network = build_network(row)
    linear = [one for one, module in network.named_modules() if isinstance(module, torch.nn.Linear) and one != "head"]
    assert [one for one in linear if not re.fullmatch(row["lora"]["targets"], one)] == []
    assert len(linear) == 4 * len(network.blocks)
    assert all(one.startswith("blocks.") for one in linear)


@pytest.mark.parametrize("name", ["dinov2-s14", "dinov2-s14-reg", "dinov3-s16", "clip-l14"])
def test_every_adapter_of_a_kind_of_transformer_has_a_part_in_the_logit(name, one_thread):
    row = {**ROWS[name], "options": {**ROWS[name]["options"], "img_size": 28 if "14" in name else 32, "depth": 1}}
    network = adapt(build_network(row), row)
    size = row["options"]["img_size"]
    logits_of(network, torch.randn(2, 3, size, size)).sum().backward()
    gradients = {one: weight.grad for one, weight in network.named_parameters() if "lora_B" in one}
    assert len(gradients) == 4
    assert [one for one, gradient in gradients.items() if not gradient.any()] == []


def test_swiglu_of_the_giant_is_adapted_too(one_thread):
    row = {**ROWS["dinov2-g14"], "options": {"img_size": 28, "depth": 1, "embed_dim": 48, "num_heads": 2}}
    network = adapt(build_network(row), row)
    logits_of(network, torch.randn(1, 3, 28, 28)).sum().backward()
    assert sum(bool(w.grad.any()) for one, w in network.named_parameters() if "lora_B" in one) == 4


def test_lora_of_the_papers_detector_has_the_published_size():
    with torch.device("meta"):
        sizes = trained(adapt(build_network(ROWS["dinov2-l14"]), ROWS["dinov2-l14"]))
    assert sum(size for name, size in sizes.items() if "lora" in name) == 3_145_728
    assert sum(size for name, size in sizes.items() if "lora" not in name) == 1_025


def test_a_probe_learns_the_head_alone_and_full_training_everything():
    probe = adapt(build_network(TINY), {**TINY, "trains": "head"})
    assert set(trained(probe)) == {"head.weight", "head.bias"}
    full = adapt(build_network(TINY), {**TINY, "trains": "all"})
    assert len(trained(full)) == len(list(full.parameters()))


def test_an_unknown_way_to_train_is_a_sentence():
    with pytest.raises(SetupError, match="it must be all, head or lora"):
        adapt(build_network(TINY), {**TINY, "trains": "some"})


@pytest.mark.parametrize("dora", [False, True])
def test_merged_weights_give_the_logits_of_the_adapted_network_and_leave_it_as_it_is(dora):
    network, images = learnt({**TINY, "lora": {**LORA, "dora": dora}})
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    expected = logits_of(network, images)
    merged = merge_lora(network)
    assert set(merged.state_dict()) == set(build_network(TINY).state_dict())
    assert torch.allclose(logits_of(merged, images), expected, atol=1e-4)
    assert torch.equal(logits_of(network, images), expected)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not torch.allclose(logits_of(build_network(TINY), images), expected, atol=1e-4)


def test_features_and_logits_come_of_one_pass_with_adapters_or_without():
    network, images = learnt(TINY)
    for one in (network, merge_lora(network)):
        features, logits = features_and_logits(one, images)
        assert torch.equal(logits, logits_of(one, images))
        assert (features.shape, features.dtype) == ((4, 192), torch.float32)


@pytest.mark.parametrize("name", ["dinov2-s14", "dinov2-s14-reg", "dinov3-s16", "clip-l14"])
def test_the_features_of_a_transformer_are_its_cls_token(name, one_thread):
    row = ROWS[name]
    size = 28 if "14" in name else 32
    network = build_network({**row, "options": {**row["options"], "img_size": size, "depth": 1}}).eval()
    images = torch.randn(2, 3, size, size)
    features, _ = features_and_logits(network, images)
    assert torch.equal(features, network.forward_features(images)[:, 0])
