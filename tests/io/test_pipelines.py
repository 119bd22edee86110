"""Weights of pipelines: which files are taken, what is missing, and what is said where the hub has or is nothing."""

import json
import shutil
import socket

import pytest

from dda.core.errors import SetupError
from dda.io import pipelines
from tests import generators, hubs

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "image_encoder": [None, None],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "requires_safety_checker": True,
}
NAMES = [
    "model_index.json",
    "v2-1.ckpt",
    "v2-1.safetensors",
    "unet/config.json",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "text_encoder/model-00001-of-00002.safetensors",
    "text_encoder/model-00002-of-00002.safetensors",
    "tokenizer/merges.txt",
    "safety_checker/model.safetensors",
]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flux")
    return folder, generators.write(folder)


@pytest.fixture
def folder(written, tmp_path):
    """A copy of a pipeline's folder that a test may damage."""
    return shutil.copytree(written[0], tmp_path / "flux")


@pytest.fixture
def hub(written, monkeypatch, tmp_path):
    """A hub whose one repository is that pipeline, beside pickled weights and a checkpoint in one file."""
    files = {
        path.relative_to(written[0]).as_posix(): path.read_bytes() for path in written[0].rglob("*") if path.is_file()
    }
    server = hubs.Hub({**files, "vae/diffusion_pytorch_model.bin": b"pickle", "flux.safetensors": b"all in one"})
    hubs.client(monkeypatch, tmp_path)(f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()


ROW = {"class": "FluxPipeline", "source": "anna/vae", "revision": None, "licence": "MIT"}


def test_only_parts_that_are_loaded_are_taken_and_no_pickle():
    taken = pipelines.wanted(INDEX, NAMES, None)
    assert set(taken) == {
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "text_encoder/model-00001-of-00002.safetensors",
        "text_encoder/model-00002-of-00002.safetensors",
        "tokenizer/merges.txt",
    }


def test_of_a_variant_its_weights_are_taken_where_there_are_any():
    taken = {name for name in pipelines.wanted(INDEX, NAMES, "fp16") if name.endswith(".safetensors")}
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in taken
    assert "unet/diffusion_pytorch_model.safetensors" not in taken
    assert "text_encoder/model-00001-of-00002.safetensors" in taken


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("model.safetensors", ""),
        ("model-00001-of-00002.safetensors", ""),
        ("unet/model.fp16.safetensors", "fp16"),
        ("model.fp16-00001-of-00002.safetensors", "fp16"),
        ("model-00001-of-00002.fp16.safetensors", "fp16"),
    ],
)
def test_a_variant_is_read_from_a_name(name, variant):
    assert pipelines.variant_of(name) == variant


def test_a_complete_folder_lacks_nothing_and_a_part_of_it_is_named(folder):
    assert pipelines.missing(folder, None) is None
    (folder / "vae/diffusion_pytorch_model.safetensors").rename(folder / "vae/diffusion_pytorch_model.bin")
    assert pipelines.missing(folder, None) == "vae/*.safetensors"
    shutil.rmtree(folder / "tokenizer")
    assert pipelines.missing(folder, None) == "tokenizer"
    (folder / "model_index.json").write_text("{")
    assert pipelines.missing(folder, None) == "model_index.json"


def test_a_shard_that_the_index_of_the_weights_names_must_be_there(folder):
    names = {"weight_map": {"one": "diffusion_pytorch_model.safetensors", "two": "model-00002-of-00002.safetensors"}}
    (folder / "vae/diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(names))
    assert pipelines.missing(folder, None) == "vae/model-00002-of-00002.safetensors"


def test_the_identity_of_a_folder_follows_its_weights_but_not_its_place(folder, written):
    row = {"path": str(folder)}
    assert pipelines.identity(row) == pipelines.identity(written[1])
    path = folder / "vae/diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert pipelines.identity(row) != pipelines.identity(written[1])


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(SetupError, match=r"no diffusers folder at .*nowhere: correct `path` in catalog/generators"):
        pipelines.fetch({"path": str(tmp_path / "nowhere")})


def test_a_repository_is_downloaded_once_told_by_name_and_size_and_without_pickles(hub, capsys):
    folder = pipelines.fetch(ROW)
    told = capsys.readouterr().err.splitlines()[0]
    assert told.startswith(f"downloading anna/vae at {hubs.COMMIT}: 14 files, 0.0 GB; licence: MIT")
    assert not list(folder.rglob("*.bin"))
    assert not (folder / "flux.safetensors").exists()
    hub.asked.clear()
    assert pipelines.fetch(ROW) == folder
    assert hub.asked == []


def test_a_repository_of_pickles_is_refused(hub):
    hub.files["vae/other.bin"] = hub.files.pop("vae/diffusion_pytorch_model.safetensors")
    with pytest.raises(SetupError, match=r"anna/vae: no vae/\*.safetensors in it \(pickled weights are never loaded\)"):
        pipelines.fetch(ROW)


def test_a_hub_that_is_away_is_a_sentence(monkeypatch, tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        hubs.client(monkeypatch, tmp_path)(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(SetupError) as raised:
            pipelines.fetch(ROW | {"revision": hubs.COMMIT})
    assert str(raised.value) == (
        "cannot get the generator from anna/vae: it is not cached and the hub is out of reach: connect once, "
        "or put its folder somewhere and give the row a `path`"
    )
