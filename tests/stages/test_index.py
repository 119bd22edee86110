import os
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dda.app import get
from dda.core.errors import SetupError
from dda.io import tables
from dda.stages import align, audit, index, reconstruct


def encoded(image, kind, **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def zoo(tiles, tmp_path):
    """A folder of good photos and every kind of bad file; what must become of each bad one (None: used)."""
    photo = Image.open(BytesIO(tiles["coffee-tile00.jpg"])).convert("RGB")
    jpeg, folder = tiles["coffee-tile00.jpg"], tmp_path / "zoo"
    deep = (np.asarray(photo.convert("L")).astype(np.uint16) * 257).astype(np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 6
    contents = {
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "damaged"),
        "empty.jpg": (b"", "empty file"),
        "text.jpg": (b"this is not a photo", "no image"),
        "cmyk.jpg": (encoded(photo.convert("CMYK"), "JPEG"), "CMYK JPEG"),
        "deep.png": (encoded(Image.fromarray(deep), "PNG"), None),
        "palette.png": (encoded(photo.convert("P"), "PNG", transparency=3), "palette"),
        "alpha.png": (encoded(photo.convert("RGBA"), "PNG"), None),
        "moving.gif": (encoded(photo, "GIF", save_all=True, append_images=[photo.rotate(90)]), "GIF"),
        "turned.jpg": (encoded(photo, "JPEG", exif=exif, quality=90), None),
        "grey.jpg": (encoded(photo.convert("L"), "JPEG", quality=90), None),
        "dot.png": (encoded(Image.new("RGB", (1, 1)), "PNG"), "a side below"),
        "bomb.png": (encoded(Image.new("L", (20000, 20000)), "PNG"), "more than"),
        "with space.jpg": (jpeg, None),
        "two.dots.jpg": (jpeg, None),
        "nodot": (jpeg, None),
        "größe-写真.jpg": (jpeg, None),
        "sub/two.dots.jpg": (jpeg, None),
    }
    for name, (content, _) in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    links = {"dangling.jpg": "nowhere.jpg", "loop.jpg": "loop.jpg", "up": "..", "unreadable.jpg": "/proc/self/mem"}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    for name, content in tiles.items():
        (folder / name).write_bytes(content)
    reasons = {"dangling.jpg": "leads nowhere", "loop.jpg": "leads nowhere", "up": "link to a folder"}
    expected = {name: reason for name, (_, reason) in contents.items()} | reasons | {"unreadable.jpg": "cannot be read"}
    return folder, expected


def rows_by_path(params):
    return {row["path"]: row for row in tables.records(tables.read(params.paths.index))}


def check_zoo(rows, expected, tiles):
    assert set(rows) == set(expected) | set(tiles)
    for path, reason in expected.items():
        assert (rows[path]["error"] is None) == (reason is None), (path, rows[path]["error"])
        assert reason is None or reason in rows[path]["error"], (path, rows[path]["error"])


def test_every_file_of_the_zoo_is_a_row_used_or_rejected_with_its_reason(zoo, project, tiles):
    folder, expected = zoo
    params = project({})
    params.paths.photos.parent.mkdir()
    params.paths.photos.symlink_to(folder)
    index.run(params)
    check_zoo(rows_by_path(params), expected, tiles)


def test_the_zoo_keeps_its_counts_when_it_is_taken_over_first(zoo, project, tiles):
    folder, expected = zoo
    params = project({})
    arrived = Path("arrived")
    arrived.mkdir()
    rejected = list(get.copy_folder(folder, arrived))
    params.paths.photos.parent.mkdir()
    arrived.rename(params.paths.photos)
    get.atomic.write_json(params.paths.rejected, {"rejected": rejected})
    index.run(params)
    assert len(rejected) == 4
    check_zoo(rows_by_path(params), expected, tiles)


def test_all_used_photos_of_the_zoo_become_pairs_that_pass_the_audit(zoo, project):
    folder, _ = zoo
    params = project({})
    params.paths.photos.parent.mkdir()
    params.paths.photos.symlink_to(folder)
    index.run(params)
    for stage in (reconstruct, align, audit):
        stage.run(params, "tiny")
    pairs = tables.read(params.paths.aligned / "tiny/pairs.parquet")
    used = sum(row["error"] is None for row in rows_by_path(params).values())
    assert pairs["error"].isna().all()
    assert len(pairs) == used


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_row(project, tiles):
    params = project(tiles)
    (params.paths.photos / "coffee-tile00.jpg").chmod(0)
    index.run(params)
    assert "Permission denied" in rows_by_path(params)["coffee-tile00.jpg"]["error"]


def test_tiles_of_one_photograph_share_their_split(line):
    table = tables.read(line.paths.index)
    assert table.groupby("group")["split"].nunique().max() == 1
    assert set(table["group"]) == {"coffee", "chelsea", "portrait", "rocket", "motorcycle", "astronaut"}
    assert set(table["split"]) == {"train", "val", "test"}


def test_facts_of_a_jpeg_stand_in_its_row(line):
    table = tables.read(line.paths.index)
    assert set(table["jpeg_quality"]) <= {80, 90, 96}
    assert set(table["subsampling"]) == {"4:2:0"}
    assert set(table["format"]) == {"JPEG"}


def test_a_photo_without_a_scene_in_its_name_is_its_own_group():
    pattern = re.compile("(.+)-tile[0-9]+")
    assert index.group_of("000000000139", "000000000139-abc", pattern) == "000000000139-abc"
    assert index.group_of("coffee-tile03", "any", pattern) == "coffee"


def test_equal_names_in_two_folders_stay_two_photos_and_ids_have_no_dot():
    ids = {index.image_id_of(name) for name in ("a/x.jpg", "b/x.jpg", "a/x.png", "a.b/x.jpg", "x..jpg", "写真.jpg")}
    assert len(ids) == 6
    assert not any("." in image_id for image_id in ids)


@pytest.mark.parametrize("content", [{}, {"only/text.txt": b"hello"}])
def test_a_folder_without_a_photo_says_what_to_do(content, project):
    params = project(content)
    params.paths.photos.mkdir(parents=True, exist_ok=True)
    with pytest.raises(SetupError, match=r"dda get FOLDER|cannot be used"):
        index.run(params)
    assert not params.paths.index.exists()


def test_a_missing_folder_says_what_to_do(project):
    with pytest.raises(SetupError, match="dda get embedded"):
        index.run(project({}))


def test_a_set_too_small_to_split_says_what_to_do(project, tiles):
    params = project({name: content for name, content in tiles.items() if name.startswith("coffee")})
    with pytest.raises(SetupError, match=r"too small to split: 3 photos of 1 groups .* Add photos"):
        index.run(params)


def test_more_rejected_files_than_allowed_stop_the_stage_with_the_reasons(project, tiles):
    params = project(tiles | {"bad1.jpg": b"x", "bad2.jpg": b""}, index={"max_failed": 0.05})
    with pytest.raises(SetupError, match=r"2 of 22 files cannot be used(.|\n)*no image in a known format"):
        index.run(params)
