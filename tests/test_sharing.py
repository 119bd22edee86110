"""docs/sharing.md does what it says: its blocks, in order, against a store over HTTP (DVC's in test_clone.py)."""

import json
import shutil
from pathlib import Path

import pytest

from dda.io import pairs
from tests import pages, sets, stores

ROOT = Path(__file__).parents[1]
BLOCKS = pages.blocks("sharing.md")
OWN = [block for block in BLOCKS if not block[1].startswith("dvc")]


@pytest.fixture(scope="module")
def ran(tmp_path_factory, tiles):
    """The folder that the blocks of the page ran in, and what they said, by word or command."""
    folder = tmp_path_factory.mktemp("sharing")
    shutil.copy(ROOT / "params.yaml", folder)
    home = {name: str(folder / "cache") for name in ("HF_HOME", "XDG_CACHE_HOME")}
    with stores.rclone(folder / "data") as server, pytest.MonkeyPatch.context() as patch:
        sets.write_audited(folder, tiles)
        stores.use(patch, server.address)
        return folder, {
            word or text.split()[1]: pages.run((kind, word, text), folder, **home) for kind, word, text in OWN
        }


@pytest.fixture
def said(ran, monkeypatch):
    """What the blocks say; the folder that they ran in is the current one."""
    monkeypatch.chdir(ran[0])
    return ran[1]


def test_every_way_of_the_page_reads_every_pair_of_the_split(said):
    ids = sorted(row["image_id"] for row in pairs.load(Path("pairs"), "train").rows)
    assert "7 files = 7 uploaded" in said["publish"]
    assert "both images of 12 pairs" in said["fetch"]
    for way in ("webdataset", "datasets"):
        lines = [line.split(" ", 1) for line in said[way].splitlines() if line.split(" ")[0] in ids]
        assert sorted(image_id for image_id, _ in lines) == ids
    assert [
        len([line for line in said["croissant"].splitlines() if f"b'{split}'" in line]) for split in ("val", "test")
    ]
    assert said["croissant"].count("b'test'") == 5  # the failed pair too


def test_croissant_metadata_are_valid_and_name_every_file_with_its_digest(said):
    import mlcroissant

    dataset = mlcroissant.Dataset(jsonld="pairs/croissant.json")
    assert dataset.metadata.ctx.issues.errors == set()
    told = json.loads(Path("pairs/croissant.json").read_text())
    assert told["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    manifest = {file["path"]: file["sha256"] for file in json.loads(Path("pairs/manifest.json").read_text())["files"]}
    described = {file["name"]: file["sha256"] for file in told["distribution"]}
    assert described.items() <= manifest.items()
    assert set(manifest) - set(described) == {"README.md", "audit.json", "croissant.json"}


def test_hugging_face_finds_splits_and_both_formats_by_the_card(said):
    program = (
        "from datasets import load_dataset\nfor split, pairs in load_dataset('pairs').items():\n"
        "    print(split, [sum(pair[name] is not None for pair in pairs) for name in ('real.png', 'real.jpg')])"
    )
    told = pages.run(("python", "", program), Path.cwd(), HF_HOME=str(Path("cache").resolve()))
    assert [line for line in told.splitlines() if "[" in line and "Gen" not in line] == [
        f"{split} [3, 1]" for split in ("train", "val", "test")
    ]
