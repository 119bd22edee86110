import json
import subprocess
from pathlib import Path

import pytest
import yaml

from dda.app import get
from dda.core.errors import SetupError


@pytest.fixture
def repository(project):
    """An empty project that git and DVC know; its parameters."""
    params = project({})
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, check=True)
    return params


def tracked_digest():
    return yaml.safe_load(Path("data.dvc").read_text())["outs"][0]["md5"]


def test_the_embedded_photos_arrive_and_are_versioned_the_same_every_time(repository):
    get.run(repository.paths, "embedded")
    first = tracked_digest()
    get.run(repository.paths, "embedded")
    assert tracked_digest() == first
    assert len(list(repository.paths.photos.iterdir())) == 105
    committed = yaml.safe_load((Path(__file__).parents[2] / "data.dvc").read_text())["outs"][0]["md5"]
    assert first == committed


def test_a_folder_is_copied_and_what_was_there_before_stays_in_the_cache(repository, tiles, tmp_path_factory):
    source = tmp_path_factory.mktemp("my photos")
    for name, content in tiles.items():
        (source / name).write_bytes(content)
    get.run(repository.paths, "embedded")
    before = tracked_digest()
    get.run(repository.paths, str(source))
    assert {path.name for path in repository.paths.photos.iterdir()} == set(tiles)
    assert {path.name for path in source.iterdir()} == set(tiles)
    assert tracked_digest() != before
    assert list(Path(".dvc/cache").rglob(before[2:]))


def test_what_cannot_be_copied_is_written_down(repository, tiles, tmp_path_factory):
    source = tmp_path_factory.mktemp("photos")
    (source / "good.jpg").write_bytes(tiles["coffee-tile00.jpg"])
    (source / "gone.jpg").symlink_to("nowhere")
    get.run(repository.paths, str(source))
    rejected = json.loads(repository.paths.rejected.read_text())["rejected"]
    assert [line["path"] for line in rejected] == ["gone.jpg"]
    assert "leads nowhere" in rejected[0]["error"]


@pytest.mark.parametrize("source", ["nowhere", "data", ".", "data/photos/.."])
def test_a_wrong_source_changes_nothing(repository, source):
    get.run(repository.paths, "embedded")
    before = tracked_digest()
    with pytest.raises(SetupError, match="name a folder"):
        get.run(repository.paths, source)
    assert tracked_digest() == before
    assert len(list(repository.paths.photos.iterdir())) == 105


def test_an_empty_source_changes_nothing(repository, tmp_path_factory):
    get.run(repository.paths, "embedded")
    with pytest.raises(SetupError, match="is empty: name a folder that holds photos"):
        get.run(repository.paths, str(tmp_path_factory.mktemp("empty")))
    assert len(list(repository.paths.photos.iterdir())) == 105
    assert not list(Path().glob(".*.part"))
