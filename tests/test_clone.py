"""The whole line as a new user has it: a clone, `dvc repro`, and the same through Prefect."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dda.io import tables
from tests import pages, stores

ROOT = Path(__file__).parents[1]
BRING = "from flows import stages; from prefect import flow; flow(stages.bring, name='all')(['report'])"
pytestmark = pytest.mark.slow


def run(folder, *command, **environment):
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=os.environ | environment
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def stages_that_ran(output):
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage '")]


def lock(folder):
    """The entries of dvc.lock; their order is that in which stages ended for the first time."""
    return yaml.safe_load((folder / "dvc.lock").read_text())


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone of this checkout as it stands, with the embedded photos and a training that is quick."""
    folder = tmp_path_factory.mktemp("clone") / "dda"
    run(ROOT, "git", "clone", "-q", str(ROOT), str(folder))
    changed = run(ROOT, "git", "ls-files", "--modified", "--others", "--exclude-standard").split("\n")
    for name in filter(None, changed):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    values = yaml.safe_load((folder / "params.yaml").read_text())
    values["train"] |= {"epochs": 1, "draws_per_pair": 1}
    values["report"] |= {"bootstrap_samples": 100}
    values["audit"] |= {"min_pairs_per_split": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    run(folder, "dda", "get", "embedded")
    return folder


@pytest.fixture(scope="module")
def repeated(clone, tiles, tmp_path_factory):
    """The clone after one whole `dvc repro` on somebody's own twenty photos."""
    photos = tmp_path_factory.mktemp("my photos")
    for name, content in tiles.items():
        (photos / name).write_bytes(content)
    run(clone, "dda", "get", str(photos))
    run(clone, "dvc", "repro")
    return clone


def test_a_clone_holds_the_very_photos_that_were_committed(clone):
    assert run(clone, "git", "status", "--porcelain", "data.dvc") == ""


def test_a_whole_repro_loses_nothing_and_leaves_a_clean_status(repeated):
    assert json.loads(run(repeated, "dvc", "status", "--json")) == {}
    index, pairs = (
        tables.read(repeated / "artifacts" / name) for name in ("index/index.parquet", "aligned/tiny/pairs.parquet")
    )
    assert len(index) == len(pairs) == 20
    found = json.loads((repeated / "reports/metrics.json").read_text())["embedded"]["aligned-tiny"]["native"]
    assert found["n_real"] == found["n_fake"] == (pairs["split"] == "test").sum()


def test_what_was_trained_answers_without_torch(repeated):
    code = "import sys; from dda.cli import app; app(['detect', 'data/photos', '-q'], standalone_mode=False); "
    said = run(repeated, sys.executable, "-c", f"{code} assert not {{'torch', 'timm', 'pandas'}} & set(sys.modules)")
    assert re.fullmatch(r"20 images = \d+ real \+ \d+ uncertain \+ \d+ generated \+ 0 unreadable\n", said)


def test_a_second_repro_has_nothing_to_do(repeated):
    assert stages_that_ran(run(repeated, "dvc", "repro")) == []


def test_what_was_made_travels_through_a_store_and_no_stage_runs_again(repeated, tmp_path, monkeypatch):
    """By the blocks of docs/sharing.md: pushed here, pulled in a clone elsewhere, and the pairs without a clone."""
    block = {word: (kind, word, text) for kind, word, text in pages.blocks("sharing.md") if word.startswith("dvc")}
    mine, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    run(repeated, "git", "-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--all", "-m", "Twenty photos")
    with stores.rclone(tmp_path / "store") as server:
        stores.use(monkeypatch, server.address)
        pages.run(block["dvc-push"], repeated)
        run(tmp_path, "git", "clone", "-q", str(repeated), str(elsewhere))
        assert "Data and pipelines are up to date." in pages.run(block["dvc-pull"], elsewhere)
        mine.mkdir()
        assert "its shards are whole" in pages.run(block["dvc-get"], mine, PROJECT=f"file://{repeated}")
    assert json.loads(run(elsewhere, "dvc", "status", "--json")) == {}
    assert run(repeated, "git", "status", "--porcelain") == ""


def test_a_flow_after_a_changed_learning_rate_runs_training_and_what_follows(repeated, tmp_path):
    values = yaml.safe_load((repeated / "params.yaml").read_text())
    values["train"]["optimiser"]["lr"] /= 2
    (repeated / "params.yaml").write_text(yaml.safe_dump(values))
    expected = ["train@embedded", "evaluate@embedded-tiny", "report"]
    assert sorted(json.loads(run(repeated, "dvc", "status", "--json"))) == sorted(["train@embedded"])
    output = run(repeated, sys.executable, "-c", BRING, PREFECT_HOME=str(tmp_path), PREFECT_API_URL="")
    ran = [line.split("Running stage '")[1].split("'")[0] for line in output.splitlines() if "Running stage '" in line]
    assert ran == expected
    assert json.loads(run(repeated, "dvc", "status", "--json")) == {}


def test_the_lock_of_that_flow_is_that_of_a_repro_by_hand(repeated):
    """By hand once more, from no lock at all.

    The training comes from DVC's run cache, since a detector's folder holds the times of its training.
    """
    by_flow = lock(repeated)
    (repeated / "dvc.lock").unlink()
    output = run(repeated, "dvc", "repro")
    assert "Stage 'train@embedded' is cached - skipping run" in output
    assert "reconstruct@tiny" in stages_that_ran(output)
    assert lock(repeated) == by_flow
