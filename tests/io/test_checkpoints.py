"""Files of tensors are read; whatever holds more, or less, is refused with a sentence."""

import argparse
import hashlib

import pytest
import torch
from safetensors.torch import save_file

from dda.core.errors import SetupError
from dda.io import checkpoints

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}


def saved(tmp_path, value, **options):
    torch.save(value, tmp_path / "some.pth", **options)
    return tmp_path / "some.pth"


@pytest.mark.parametrize("value", [TENSORS, {"model": TENSORS, "epoch": 3, "lr": [0.1]}], ids=["bare", "model"])
@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "old"])
def test_tensors_are_read_bare_or_below_model_from_new_files_and_old(tmp_path, value, is_zip):
    path = saved(tmp_path, value, _use_new_zipfile_serialization=is_zip)
    found = checkpoints.read(path)
    assert {name: tensor.tolist() for name, tensor in found.tensors.items()} == {
        name: tensor.tolist() for name, tensor in TENSORS.items()
    }
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.source == {"file": "some.pth", "sha256": digest, "bytes": path.stat().st_size}


def test_safetensors_are_read_too(tmp_path):
    save_file(TENSORS, tmp_path / "some.safetensors")
    assert set(checkpoints.read(tmp_path / "some.safetensors").tensors) == set(TENSORS)


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "old"])
def test_a_pickle_that_holds_an_object_is_not_loaded(tmp_path, is_zip):
    path = saved(tmp_path, {"model": TENSORS, "args": argparse.Namespace()}, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(SetupError, match=r"more than tensors \(argparse.Namespace\): a pickle that .* is not loaded"):
        checkpoints.read(path)


class Harmful:
    def __reduce__(self):
        return print, ("this ran",)


def test_code_in_a_pickle_never_runs(tmp_path, capsys):
    path = saved(tmp_path, {"model": Harmful()})
    with pytest.raises(SetupError, match="is not loaded, since it could run code"):
        checkpoints.read(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("n_bytes", [-1000, 700, 2], ids=["near its end", "early", "at once"])
def test_a_file_that_is_cut_off_is_told(tmp_path, n_bytes):
    path = saved(tmp_path, TENSORS)
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(SetupError, match="is cut off"):
        checkpoints.read(path)


def test_a_cut_off_safetensors_file_is_told(tmp_path):
    save_file(TENSORS, tmp_path / "some.safetensors")
    (tmp_path / "some.safetensors").write_bytes((tmp_path / "some.safetensors").read_bytes()[:-5])
    with pytest.raises(SetupError, match="no complete safetensors file"):
        checkpoints.read(tmp_path / "some.safetensors")


@pytest.mark.parametrize("content", [b"", b"no tensors at all", b"\x80\x02", b"<html>not found</html>"])
def test_what_is_no_checkpoint_is_told(tmp_path, content):
    (tmp_path / "some.pth").write_bytes(content)
    with pytest.raises(SetupError, match="is no checkpoint of torch"):
        checkpoints.read(tmp_path / "some.pth")


@pytest.mark.parametrize("value", [[1, 2], {}, {"model": {"a": 1}}, {"model": 3, "b": TENSORS["a.bias"]}, 5])
def test_what_holds_no_tensors_by_name_is_told(tmp_path, value):
    with pytest.raises(SetupError, match="tensors by their names"):
        checkpoints.read(saved(tmp_path, value))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(SetupError, match="no checkpoint at"):
        checkpoints.read(tmp_path / "gone.pth")
