"""The list of VAEs: every row, in any width, at once and without the hub."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from dda import catalog
from dda.app import vaes as verb

ROWS = catalog.table("vaes")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub, which no test may ask."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    return tmp_path


def shown(width):
    """The lines of the table on a terminal of that width."""
    console = Console(width=width, record=True, file=io.StringIO())
    rows = {name: {**row, "state": "not cached"} for name, row in ROWS.items()}
    console.print(verb.overview(rows, full=width >= verb.WIDTH_OF_FULL_NAMES))
    return console.export_text().splitlines()


def test_the_document_holds_every_fact_and_the_state(capsys):
    verb.run(as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert list(told) == list(ROWS)
    assert all(told[name] == {**row, "state": told[name]["state"]} for name, row in ROWS.items())
    assert {told[name]["state"] for name in told} == {"embedded", "not cached"}


def test_the_piped_list_has_one_line_for_each_vae(capsys):
    verb.run(as_json=False)
    header, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(ROWS)
    assert header.split() == ["name", "class", "stride", "latent", "licence", "gated", "state", "revision"]


def test_a_cached_vae_is_told(cache, capsys):
    row = ROWS["sdxl"]
    snapshot = cache / f"models--{row['source'].replace('/', '--')}" / "snapshots" / row["revision"]
    snapshot.mkdir(parents=True)
    for name in ("config.json", "diffusion_pytorch_model.safetensors"):
        (snapshot / name).touch()
    verb.run(as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [name for name in told if told[name]["state"] == "cached"] == ["sdxl"]


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_cut_off_on_a_terminal(width):
    text = "\n".join(shown(width))
    assert "…" not in text
    for name, row in ROWS.items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
        parts = [row["class"].removeprefix("Autoencoder"), str(row["stride"]), row.get("revision", "-")[:8]]
        assert [part for part in parts if part not in line] == []


def test_the_command_starts_without_anything_heavy(tmp_path):
    command = [sys.executable, "-X", "importtime", Path(sys.executable).with_name("dda"), "vaes", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert list(json.loads(done.stdout)) == list(ROWS)
    assert {"torch", "diffusers", "numpy", "transformers"} & imported == set()
