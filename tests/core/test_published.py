"""The published layout: recognised by names and shapes, converted whole, and every odd key named."""

import re

import pytest
import torch

from dda import catalog
from dda.core.errors import SetupError
from dda.core.networks import build_network
from dda.core.published import convert, recognise
from tests import checkpoints

MODEL = checkpoints.MODEL
TARGETS = r"blocks\.\d+\.(attn\.proj|attn\.qkv|mlp\.fc1|mlp\.fc2)"


@pytest.fixture(scope="module")
def tensors():
    return checkpoints.published()


def shapes_of(name):
    with torch.device("meta"):
        network = build_network(catalog.get("detectors", name))
    return {one: tuple(tensor.shape) for one, tensor in network.state_dict().items()}


@pytest.fixture(scope="module")
def shapes():
    return shapes_of("dinov2-s14")


def with_registers(tensors):
    return {**tensors, f"{MODEL}register_tokens": torch.randn(1, 4, 384)}


def test_a_checkpoint_is_known_by_its_names_and_shapes(tensors):
    found = recognise(tensors)
    assert (found.row, found.rank, found.targets) == ("dinov2-s14", 8, TARGETS)
    assert (found.has_backbone, found.has_swiglu) == (True, False)
    assert recognise(with_registers(tensors)).row == "dinov2-s14-reg"
    assert not recognise(checkpoints.without_backbone(tensors)).has_backbone
    assert recognise(checkpoints.without_backbone(tensors)).row == "dinov2-s14"


def test_every_tensor_of_the_network_and_of_the_adapter_is_there(tensors, shapes):
    found = convert(tensors, shapes, recognise(tensors))
    assert {name: tuple(tensor.shape) for name, tensor in found.network.items()} == shapes
    assert len(found.adapter) == 12 * 4 * 2 + 2
    qkv = "blocks.3.attn.qkv"
    assert torch.equal(found.network[f"{qkv}.weight"], tensors[f"{MODEL}{qkv}.original_layer.weight"])
    assert torch.equal(found.adapter[f"base_model.model.{qkv}.lora_A.weight"], tensors[f"{MODEL}{qkv}.lora.lora_A"])
    assert torch.equal(found.adapter["base_model.model.head.weight"], tensors["base_model.fc.weight"])


def test_half_precision_becomes_float32(tensors, shapes):
    found = convert({name: tensor.half() for name, tensor in tensors.items()}, shapes, recognise(tensors))
    assert {tensor.dtype for tensor in (*found.network.values(), *found.adapter.values())} == {torch.float32}


def test_positions_are_resized_as_the_authors_do(tensors, shapes):
    square = tensors[f"{MODEL}pos_embed"][:, 1:].reshape(1, 37, 37, 384).permute(0, 3, 1, 2)
    scale = (24 + 0.1) / 37
    wanted = torch.nn.functional.interpolate(square, scale_factor=(scale, scale), mode="bicubic")
    found = convert(tensors, shapes, recognise(tensors)).network["pos_embed"]
    assert torch.equal(found[:, 1:], wanted.permute(0, 2, 3, 1).reshape(1, 576, 384))
    assert torch.equal(found[:, :1], tensors[f"{MODEL}pos_embed"][:, :1])


def test_with_registers_positions_are_smoothed_and_that_of_cls_is_added_to_it(tensors):
    given = with_registers(tensors)
    found = convert(given, shapes_of("dinov2-s14-reg"), recognise(given)).network
    square = tensors[f"{MODEL}pos_embed"][:, 1:].reshape(1, 37, 37, 384).permute(0, 3, 1, 2)
    wanted = torch.nn.functional.interpolate(square, size=(24, 24), mode="bicubic", antialias=True)
    assert torch.equal(found["pos_embed"], wanted.permute(0, 2, 3, 1).reshape(1, 576, 384))
    assert torch.equal(found["cls_token"], given[f"{MODEL}cls_token"] + given[f"{MODEL}pos_embed"][:, :1])
    assert torch.equal(found["reg_token"], given[f"{MODEL}register_tokens"])


def test_the_giants_swiglu_goes_by_other_names():
    shapes = {name: shape for name, shape in shapes_of("dinov2-g14").items() if not re.match(r"blocks\.[1-9]", name)}
    own = {name.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3"): shape for name, shape in shapes.items()}
    tensors = {f"{MODEL}{name}": torch.empty(shape) for name, shape in own.items() if not name.startswith("head")}
    qkv = f"{MODEL}blocks.0.attn.qkv"
    tensors |= {f"{qkv}.original_layer.{one}": tensors.pop(f"{qkv}.{one}") for one in ("weight", "bias")}
    tensors |= {f"{qkv}.lora.lora_A": torch.empty(4, 1536), f"{qkv}.lora.lora_B": torch.empty(4608, 4)}
    tensors |= {"base_model.fc.weight": torch.empty(1, 1536), "base_model.fc.bias": torch.empty(1)}
    layout = recognise(tensors)
    assert (layout.row, layout.rank, layout.targets) == ("dinov2-g14", 4, r"blocks\.\d+\.(attn\.qkv)")
    assert set(convert(tensors, shapes, layout).network) == set(shapes)


def without(tensors, *names):
    return {name: tensor for name, tensor in tensors.items() if name not in names}


def test_keys_that_are_missing_left_over_or_of_another_shape_are_named(tensors, shapes):
    key, other, third = f"{MODEL}blocks.7.mlp.fc2.lora.lora_B", f"{MODEL}norm.bias", f"{MODEL}blocks.0.ls1.gamma"
    given = {**without(tensors, key, other), third: torch.ones(7), "optimizer.step": torch.zeros(1)}
    with pytest.raises(SetupError) as told:
        convert(given, shapes, recognise(given))
    assert str(told.value) == (
        f"2 keys missing: {key}, {other}; 1 key left over: optimizer.step; "
        f"1 key of another shape: {third} (7,) instead of (384,)"
    )


def test_of_many_odd_keys_twenty_are_named_and_the_rest_counted(tensors, shapes):
    given = {**tensors, **{f"extra.{i:02d}": torch.zeros(1) for i in range(33)}}
    with pytest.raises(SetupError, match=r"33 keys left over: extra.00, .*, extra.19 and 13 more$"):
        convert(given, shapes, recognise(given))


def test_the_mask_token_may_be_there_or_not(tensors, shapes):
    given = without(tensors, f"{MODEL}mask_token")
    assert set(convert(given, shapes, recognise(given)).network) == set(shapes)


def test_an_unknown_width_names_the_known_ones():
    with pytest.raises(SetupError, match=r"have 64 dimensions. Known: 384 \(dinov2-s14\), 768 .*1536 \(dinov2-g14\)"):
        recognise(checkpoints.published(width=64, depth=1))


def test_other_files_are_told_what_the_layout_is():
    with pytest.raises(SetupError, match=r"not the published layout.*its first keys are: conv.bias, conv.weight"):
        recognise({"conv.weight": torch.zeros(1), "conv.bias": torch.zeros(1)})


def test_ranks_that_differ_are_told(tensors):
    given = {**tensors, f"{MODEL}blocks.0.attn.qkv.lora.lora_A": torch.zeros(4, 384)}
    with pytest.raises(SetupError, match="several ranks: 4, 8"):
        recognise(given)


def test_positions_that_are_no_square_are_told(tensors, shapes):
    given = {**tensors, f"{MODEL}pos_embed": torch.zeros(1, 1 + 37 * 36, 384)}
    with pytest.raises(SetupError, match=r"position embeddings of shape \(1, 1333, 384\): 1332 patches are no square"):
        convert(given, shapes, recognise(given))
