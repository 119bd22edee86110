"""Autoencoders by their catalog rows: local ones load frozen, wrong ones are a sentence; no network is asked."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from dda.core.errors import SetupError
from dda.io import vaes

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def tiny():
    from diffusers import AutoencoderTiny

    torch.manual_seed(0)
    return AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(0, 1),
        num_decoder_blocks=(1, 0),
    )


@pytest.fixture
def folder(tiny, tmp_path):
    tiny.save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def load(folder, kind="AutoencoderTiny"):
    return vaes.load({"class": kind, "path": str(folder)}, "cpu")


def test_a_local_folder_gives_the_weights_it_holds(tiny, folder):
    loaded = load(folder).state_dict()
    assert loaded.keys() == tiny.state_dict().keys()
    assert all(torch.equal(loaded[name], values) for name, values in tiny.state_dict().items())


def test_a_loaded_vae_is_frozen_and_in_float32(folder):
    vae = load(folder)
    assert not vae.training
    assert not any(weights.requires_grad for weights in vae.parameters())
    assert vae.dtype == torch.float32


def test_weights_stored_in_half_precision_are_loaded_in_float32(folder):
    halves = {name: values.half() for name, values in load_file(folder / WEIGHTS).items()}
    save_file(halves, folder / WEIGHTS, metadata={"format": "pt"})
    assert {values.dtype for values in load(folder).state_dict().values()} == {torch.float32}


def test_the_class_of_the_row_is_the_class_of_the_vae(tmp_path):
    from diffusers import AutoencoderKL

    AutoencoderKL(block_out_channels=(8,), norm_num_groups=4).save_pretrained(tmp_path)
    assert isinstance(load(tmp_path, "AutoencoderKL"), AutoencoderKL)


def test_a_path_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(SetupError, match=r"no diffusers folder at .*/missing: correct `path`"):
        load(tmp_path / "missing")


def test_a_folder_that_holds_no_vae_is_a_sentence(tmp_path):
    with pytest.raises(SetupError, match=r"cannot load the VAE from .*config.json"):
        load(tmp_path)


def test_a_class_that_diffusers_does_not_have_is_a_sentence(folder):
    with pytest.raises(SetupError, match="diffusers has no class 'AutoencoderTinny'"):
        load(folder, "AutoencoderTinny")


@pytest.mark.parametrize("kind", ["AutoencoderKL", "UNet2DModel"])
def test_the_class_of_another_network_is_a_sentence(folder, kind):
    with pytest.raises(SetupError, match="cannot load the VAE"):
        load(folder, kind)


def test_the_weights_of_another_vae_are_a_sentence(folder, tmp_path):
    from diffusers import AutoencoderKL

    AutoencoderKL(block_out_channels=(8,), norm_num_groups=4).save_pretrained(tmp_path / "kl")
    shutil.copy(tmp_path / "kl" / WEIGHTS, folder / WEIGHTS)
    with pytest.raises(SetupError, match="cannot load the VAE"):
        load(folder)


def test_missing_weights_are_a_sentence(folder):
    (folder / WEIGHTS).unlink()
    with pytest.raises(SetupError, match=f"cannot load the VAE from .*{WEIGHTS}"):
        load(folder)


def test_truncated_weights_are_a_sentence(folder):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-500])
    with pytest.raises(SetupError, match="cannot load the VAE"):
        load(folder)


def test_one_missing_tensor_is_a_sentence(folder):
    weights = load_file(folder / WEIGHTS)
    weights.pop(sorted(weights)[0])
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(SetupError, match="cannot load the VAE"):
        load(folder)


def test_a_tensor_of_another_shape_is_a_sentence(folder):
    weights = load_file(folder / WEIGHTS)
    first = sorted(weights)[0]
    save_file({**weights, first: weights[first][:1].clone()}, folder / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(SetupError, match="expected shape"):
        load(folder)


def test_weights_in_a_pickle_are_never_loaded(tiny, folder):
    (folder / WEIGHTS).unlink()
    torch.save(tiny.state_dict(), folder / "diffusion_pytorch_model.bin")
    with pytest.raises(SetupError, match="cannot load the VAE"):
        load(folder)


def identity(folder):
    return vaes.identity({"class": "AutoencoderTiny", "path": str(folder)})


def test_a_folder_is_known_by_what_it_holds_and_not_by_its_name(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert identity(copy) == identity(folder)
    (copy / "README.md").write_text("how it was made")
    assert identity(copy) == identity(folder)


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
def test_other_weights_or_another_configuration_are_another_vae(folder, name):
    before = identity(folder)
    content = bytearray((folder / name).read_bytes())
    content[-2] ^= 1
    (folder / name).write_bytes(content)
    assert identity(folder) != before


def test_a_vae_of_the_hub_is_known_by_its_source_and_revision():
    row = {"class": "AutoencoderKL", "source": "stabilityai/sdxl-vae"}
    others = [{**row, "source": "stabilityai/sd-vae"}, {**row, "revision": "abc"}, {**row, "subfolder": "vae"}]
    assert len({vaes.identity(one) for one in (row, *others)}) == 4
    assert vaes.identity(row) == vaes.identity(dict(row))
