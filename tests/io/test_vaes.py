"""Autoencoders by their catalog rows: local ones and those of a hub load frozen, wrong ones are a sentence.

The hub is a small server on this machine that the real client asks; no other network is touched.
"""

import re
import shutil
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from dda import catalog
from dda.core.errors import SetupError
from dda.io import vaes
from tests import hubs
from tests.hubs import COMMIT, Hub
from tests.vaes import SMALL

WEIGHTS = "diffusion_pytorch_model.safetensors"
ROWS = catalog.table("vaes")


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


def load(folder, kind="AutoencoderTiny", precision="float32"):
    return vaes.load({"class": kind, "path": str(folder)}, "cpu", precision)


# --- local folders


def test_a_local_folder_gives_the_weights_it_holds(tiny, folder):
    loaded = load(folder).state_dict()
    assert loaded.keys() == tiny.state_dict().keys()
    assert all(torch.equal(loaded[name], values) for name, values in tiny.state_dict().items())


def test_a_loaded_vae_is_frozen_and_in_float32(folder):
    vae = load(folder)
    assert not vae.training
    assert not any(weights.requires_grad for weights in vae.parameters())
    assert vae.dtype == torch.float32


@pytest.mark.parametrize("precision", vaes.PRECISIONS)
def test_weights_stored_in_half_precision_are_loaded_in_the_precision_asked_for(folder, precision):
    halves = {name: values.half() for name, values in load_file(folder / WEIGHTS).items()}
    save_file(halves, folder / WEIGHTS, metadata={"format": "pt"})
    vae = load(folder, precision=precision)
    assert {values.dtype for values in vae.state_dict().values()} == {getattr(torch, precision)}
    assert torch.get_default_dtype() == torch.float32


def test_a_precision_that_is_none_is_a_sentence(folder):
    with pytest.raises(SetupError, match=r"no precision 'float61'. Did you mean 'float16'"):
        load(folder, precision="float61")


def test_a_vae_that_overflows_in_float16_is_not_loaded_so():
    with pytest.raises(SetupError, match="sdxl-vae overflows in float16: take bfloat16 or float32"):
        vaes.load(ROWS["sdxl"], "cpu", "float16")


@pytest.mark.parametrize("kind", SMALL)
def test_every_class_of_the_catalog_loads_and_reconstructs(kind, tmp_path):
    import diffusers

    rows = [row for row in ROWS.values() if row["class"] == kind and "embedded" not in row]
    torch.manual_seed(0)
    getattr(diffusers, kind)(**SMALL[kind]).save_pretrained(tmp_path)
    vae = load(tmp_path, kind)
    photo = torch.rand(1, 3, 64, 96) * 2 - 1
    with torch.inference_mode():
        encoded = vae.encode(photo[:, :, None] if rows[0].get("time_axis") else photo)
        ((word, value),) = encoded.items()
        latents = value.mode() if word == "latent_dist" else value
        decoded = vae.decode(latents).sample
    assert type(vae).__name__ == kind
    assert {64 // row["stride"] for row in rows} == {latents.shape[-2]}
    assert decoded.shape[-2:] == photo.shape[-2:]


def test_the_small_ones_are_of_every_class_in_the_catalog():
    assert set(SMALL) == {row["class"] for row in ROWS.values()}


def test_weights_of_flat_convolutions_lie_channels_last(folder):
    convolutions = [weights for weights in load(folder).parameters() if weights.dim() == 4]
    assert all(weights.is_contiguous(memory_format=torch.channels_last) for weights in convolutions)


def test_weights_under_the_attention_names_of_2022_are_loaded(tmp_path):
    """As those of sd-vae-ft-mse and its kin are written."""
    from diffusers import AutoencoderKL

    AutoencoderKL(block_out_channels=(8,), norm_num_groups=4).save_pretrained(tmp_path)
    now = load(tmp_path, "AutoencoderKL").state_dict()
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    written = load_file(tmp_path / WEIGHTS)
    renamed = {re.sub("|".join(old), lambda found: old[found[0]], name): part for name, part in written.items()}
    assert renamed.keys() != written.keys()
    save_file(renamed, tmp_path / WEIGHTS, metadata={"format": "pt"})
    again = load(tmp_path, "AutoencoderKL").state_dict()
    assert all(torch.equal(again[name], part) for name, part in now.items())


def test_a_path_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(SetupError, match=r"no diffusers folder at .*/missing: correct `path`"):
        load(tmp_path / "missing")


def test_a_folder_that_holds_no_vae_is_a_sentence(tmp_path):
    with pytest.raises(SetupError, match=r"cannot load the VAE from .*: no config.json in it"):
        load(tmp_path)


@pytest.mark.parametrize("kind", ["AutoencoderTinny", "DDIMScheduler", "logging"])
def test_a_class_that_diffusers_does_not_have_is_a_sentence(folder, kind):
    with pytest.raises(SetupError, match=f"diffusers has no class '{kind}'"):
        load(folder, kind)


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
    with pytest.raises(SetupError, match=f"cannot load the VAE from .*: no {WEIGHTS} in it"):
        load(folder)


@pytest.mark.parametrize("content", [lambda good: good[:-500], lambda good: b"no weights", lambda good: b""])
def test_broken_weights_are_a_sentence(folder, content):
    (folder / WEIGHTS).write_bytes(content((folder / WEIGHTS).read_bytes()))
    with pytest.raises(SetupError, match="cannot load the VAE") as raised:
        load(folder)
    assert len(str(raised.value).splitlines()) == 1


def test_a_broken_configuration_is_a_sentence(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(SetupError, match="cannot load the VAE"):
        load(folder)


def test_one_missing_tensor_is_a_sentence(folder):
    weights = load_file(folder / WEIGHTS)
    first = sorted(weights)[0]
    weights.pop(first)
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    told = f"1 tensors of AutoencoderTiny are not in its weights, the first is {first}: correct `class`"
    with pytest.raises(SetupError, match=re.escape(told)):
        load(folder)


def test_a_tensor_of_another_shape_is_a_sentence(folder):
    weights = load_file(folder / WEIGHTS)
    first = sorted(weights)[0]
    save_file({**weights, first: weights[first][:1].clone()}, folder / WEIGHTS, metadata={"format": "pt"})
    with pytest.raises(SetupError, match="expected shape"):
        load(folder)


def test_tensors_that_nobody_needs_are_told(folder, caplog):
    weights = load_file(folder / WEIGHTS)
    save_file({**weights, "another": torch.zeros(1)}, folder / WEIGHTS, metadata={"format": "pt"})
    load(folder)
    assert "1 tensors not used, the first is another" in caplog.text


def test_weights_in_a_pickle_are_never_loaded(tiny, folder):
    (folder / WEIGHTS).unlink()
    torch.save(tiny.state_dict(), folder / "diffusion_pytorch_model.bin")
    with pytest.raises(SetupError, match=r"cannot load the VAE.*pickled weights are never loaded"):
        load(folder)


# --- what tells VAEs apart


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
    assert "not pinned" in vaes.identity(row)


# --- the catalog


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_its_facts(name):
    import diffusers

    row = ROWS[name]
    optional = {"subfolder", "revision", "gated", "float16", "time_axis"}
    assert issubclass(getattr(diffusers, row["class"]), diffusers.ModelMixin)
    assert len({"source", "path", "embedded"} & set(row)) == 1
    assert set(row) - optional - {"source", "path", "embedded"} == {"class", "stride", "latent_channels", "licence"}
    if "source" in row:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", row["source"])
        assert re.fullmatch("[0-9a-f]{40}", row["revision"])
        assert isinstance(row["gated"], bool)


def test_the_vaes_of_the_paper_are_there():
    assert {"sd21", "sd-vae-ft-mse", "sd-vae-ft-ema", "sdxl", "sd35-large", "flux1"} <= set(ROWS)


def test_no_two_rows_are_the_same_folder_of_the_hub():
    places = [vaes.identity(row) for row in ROWS.values() if "source" in row]
    assert len(set(places)) == len(places)


def test_the_module_is_light():
    """For it is imported where only a row's identity is asked."""
    code = "import sys; from dda.io import vaes; print({'torch', 'diffusers', 'huggingface_hub'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- the hub


@pytest.fixture
def client(tmp_path, monkeypatch):
    """The hub's real client with an empty cache of its own and without a token; client(address): whom it asks."""
    return hubs.client(monkeypatch, tmp_path)


@pytest.fixture
def hub(folder, client):
    """A hub with anna/vae: a VAE in its subfolder `vae`, and what else such a repository holds."""
    files = {f"vae/{path.name}": path.read_bytes() for path in folder.iterdir()}
    server = Hub({**files, "unet/config.json": b"{}", "vae/diffusion_pytorch_model.fp16.safetensors": b"another"})
    client(f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def nobody(client):
    """A hub that is away: nothing listens at its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        client(f"http://127.0.0.1:{listener.getsockname()[1]}")
        yield


ROW = {"class": "AutoencoderTiny", "source": "anna/vae", "subfolder": "vae", "revision": COMMIT}


def refused(row=ROW):
    with pytest.raises(SetupError, match=f"^cannot (get|load) the VAE from {row['source']}: ") as raised:
        vaes.fetch(row)
    assert len(str(raised.value).splitlines()) == 1
    return str(raised.value)


@pytest.mark.parametrize("row", [ROW, {name: ROW[name] for name in ROW if name != "revision"}], ids=["pinned", "main"])
def test_a_vae_of_the_hub_is_downloaded_and_loaded(hub, tiny, row):
    assert vaes.state(row) == "not cached"
    loaded = vaes.load(row, "cpu").state_dict()
    assert all(torch.equal(loaded[name], values) for name, values in tiny.state_dict().items())
    assert vaes.state(row) == "cached"


def test_only_the_files_that_are_needed_are_downloaded(hub):
    folder = vaes.fetch(ROW)
    assert {path.name for path in folder.parent.rglob("*") if path.is_file()} == {"config.json", WEIGHTS}


def test_a_cached_vae_is_loaded_without_any_request(hub):
    vaes.fetch(ROW)
    hub.asked.clear()
    assert vaes.load(ROW, "cpu").dtype == torch.float32
    assert hub.asked == []


def test_a_cached_vae_that_is_not_pinned_is_loaded_while_the_hub_is_away(hub):
    row = {name: ROW[name] for name in ROW if name != "revision"}
    before = vaes.fetch(row)
    hub.shutdown()
    hub.server_close()
    assert vaes.fetch(row) == before


def test_half_a_download_is_completed(hub):
    (vaes.fetch(ROW) / WEIGHTS).unlink()
    assert vaes.state(ROW) == "not cached"
    assert (vaes.fetch(ROW) / WEIGHTS).is_file()


def test_the_state_of_a_vae_is_told_without_a_request(hub, folder):
    local = {"class": "AutoencoderTiny", "path": str(folder)}
    assert [vaes.state(row) for row in (ROWS["tiny"], local, {**local, "path": "nowhere"}, ROW)] == [
        "embedded",
        "local folder",
        "folder is missing",
        "not cached",
    ]
    assert hub.asked == []


def test_a_gated_vae_asks_for_its_licence_and_a_token(hub):
    hub.refusal = (401, b"", "GatedRepo")
    assert "it is gated: accept its licence at https://huggingface.co/anna/vae and set HF_TOKEN" in refused()


def test_a_token_that_does_not_open_a_gated_vae_is_named_but_not_told(hub, monkeypatch, caplog):
    caplog.set_level("DEBUG")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.refusal = (403, b"", "GatedRepo")
    told = refused()
    assert "it is gated: your token does not open it" in told
    assert ("Bearer hf_secret" in {sent for _, sent in hub.asked}, "hf_secret" in told + caplog.text) == (True, False)


def test_an_unknown_repository_is_a_sentence(hub):
    assert "no such repository, or a hidden one: correct `source`" in refused({**ROW, "source": "anna/vea"})


def test_an_unknown_revision_is_a_sentence(hub):
    assert f"no revision {'9' * 40}: correct `revision`" in refused({**ROW, "revision": "9" * 40})


def test_what_is_no_name_of_a_repository_is_a_sentence(hub):
    assert "not the name of a repository" in refused({**ROW, "source": "anna/vae/of mine"})


def test_a_hub_that_is_away_is_a_sentence(nobody):
    assert "not cached and the hub is out of reach: connect once, or put its folder" in refused()


def test_being_told_to_stay_offline_is_a_sentence(nobody, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "not cached and HF_HUB_OFFLINE is set: unset that once, or put its folder" in refused()


def test_a_token_that_the_hub_refuses_is_a_sentence(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    hub.refusal = (401, b"", None, "", "Invalid credentials in Authorization header")
    assert "the hub answers with status 401: correct HF_TOKEN or unset it" in refused()


def test_a_hub_in_trouble_is_a_sentence(hub):
    hub.refusal = (418, b"", None)
    assert "the hub answers with status 418: try again later, or put its folder" in refused()


def test_a_cache_that_cannot_be_written_is_a_sentence(hub, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    (tmp_path / "file").touch()
    assert refused().endswith("try again, or put its folder somewhere and give the row a `path`")


def test_broken_weights_of_the_hub_say_what_to_delete(hub):
    hub.files[f"vae/{WEIGHTS}"] = b"no weights"
    with pytest.raises(
        SetupError, match=r"^cannot load the VAE from anna/vae: .*, or delete .*/models--anna--vae to down"
    ):
        vaes.load(ROW, "cpu")


def test_a_repository_without_the_folder_is_a_sentence(hub):
    told = refused({**ROW, "subfolder": "vqvae"})
    assert told.endswith("no config.json in it: correct its row in catalog/vaes.yaml")


def test_a_repository_that_holds_only_a_pickle_is_a_sentence(hub):
    hub.files[f"vae/{WEIGHTS.replace('safetensors', 'bin')}"] = hub.files.pop(f"vae/{WEIGHTS}")
    assert f"no {WEIGHTS} in it (pickled weights are never loaded)" in refused()
    assert not any("bin" in path for path, _ in hub.asked)
