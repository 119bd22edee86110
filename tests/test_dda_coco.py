"""The profile of a set that only tests, on embedded photos and the embedded VAE: built, audited, shared, judged."""

import json
import uuid
from collections import Counter
from pathlib import Path

import pytest
import yaml

from dda import params as parameters
from dda.app import fetch, publish
from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL
from dda.io import facts, layouts, pairs, tables
from dda.stages import align, audit, index, reconstruct
from tests import stores

ROOT = Path(__file__).parents[1]
SMALL = {
    "reconstruct": {"vaes": ["tiny"], "shards": 2, "precision": "float32", "cpus_per_worker": 2},
    "align": {"shards_per_split": 2},
    "train": {"vaes": ["tiny"]},
    "audit": {"min_pairs_per_split": 20, "bootstrap_samples": 100, "gallery_pairs": 2},
}


@pytest.fixture(scope="module")
def folder(tiles, tmp_path_factory):
    """A project with that profile, but for its VAE and its size, whose set is built."""
    folder = tmp_path_factory.mktemp("dda-coco")
    values = yaml.safe_load((ROOT / "profiles/dda-coco.yaml").read_text("utf-8"))
    for section, keys in SMALL.items():
        values[section] |= keys
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    (folder / "data/photos").mkdir(parents=True)
    for name, content in tiles.items():
        (folder / "data/photos" / name).write_bytes(content)
    with pytest.MonkeyPatch.context() as here:
        here.chdir(folder)
        params = parameters.load(Path("params.yaml"))
        index.run(params)
        for stage in (reconstruct, align, audit):
            stage.run(params, "tiny")
    return folder


@pytest.fixture
def params(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return parameters.load(Path("params.yaml"))


def test_the_profile_names_the_authors_six_vaes_and_mixes_nothing():
    profile = parameters.load(ROOT / "profiles/dda-coco.yaml")
    assert profile.reconstruct.vaes == ("sd21", "sd-vae-ft-mse", "sd-vae-ft-ema", "sdxl", "sd35-large", "flux1")
    assert [step.step for step in profile.align.held_out.steps] == ["match_jpeg"]


def test_every_photo_is_a_test_pair_with_the_quality_of_its_real(params):
    found = pairs.load(params.paths.aligned / "tiny", "test")
    assert len(found.rows) == 20
    assert all(row["jpeg_matched"] == "quality" and row["real_weight"] == 0 for row in found.rows)
    for row in found.rows:
        real, fake = (facts.stored(found.content(row, side)) for side in pairs.SIDES)
        assert (real["width"], real["height"]) == (fake["width"], fake["height"])
    with pytest.raises(SetupError, match="no pairs of split 'train'"):
        pairs.load(params.paths.aligned / "tiny", "train")


def test_the_audit_counts_the_one_split_that_there_is(params):
    stamp = json.loads((params.paths.audits / "tiny.json").read_text())
    assert stamp["passed"]
    (enough,) = [one for one in stamp["expectations"] if one["name"] == "every split has enough pairs"]
    assert enough["success"]


def test_it_can_be_judged_like_any_benchmark(params):
    found = Counter(image.label for image in layouts.aligned(params.paths.aligned / "tiny", "test"))
    assert found == {REAL: 20, FAKE: 20}


def test_it_is_shared_like_any_set(params, store, tmp_path):
    address = f"s3://{stores.BUCKET}/{uuid.uuid4().hex}"
    publish.run(params.paths, "tiny", address, None)
    fetch.run(f"{address}/tiny", tmp_path / "fetched", None, False)
    assert len(tables.read(tmp_path / "fetched/pairs.parquet")) == 20
    card = (tmp_path / "fetched/README.md").read_text("utf-8")
    assert "| test | 20 |" in card
    assert "| train |" not in card


def test_a_share_above_nothing_still_needs_photos(params):
    shares = {"train": 0.000001, "val": 0.0, "test": 0.999999}
    section = params.index.model_copy(update={"fractions": type(params.index.fractions)(**shares)})
    with pytest.raises(SetupError, match="leave none for train"):
        index.run(params.model_copy(update={"index": section}))
