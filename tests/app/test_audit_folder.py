"""The audit of two folders of anybody's: biases are named, files are counted, and nothing is found where nothing is."""

import json
import os
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dda.app import audit_folder
from dda.app.audit_folder import Settings
from dda.core.errors import AuditError, SetupError
from dda.core.jpeg import encode_jpeg, jpeg_facts

FEW = Settings(samples=100)


@pytest.fixture
def folders(tmp_path, tiles):
    """Two folders, `real` with twenty photos and an empty `fake`."""
    for name, content in tiles.items():
        path = tmp_path / "real/deep" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "fake").mkdir()
    return tmp_path / "real", tmp_path / "fake"


def write_fakes(folders, encode):
    """A fake for each real: what `encode` makes of its image and JPEG facts; (name's ending, bytes)."""
    real, fake = folders
    for path in real.rglob("*.jpg"):
        image = Image.open(path)
        ending, content = encode(image.convert("RGB"), jpeg_facts(image))
        target = fake / path.relative_to(real).with_suffix(ending)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def as_png(image, facts):
    buffer = BytesIO()
    image.resize((96, 96)).save(buffer, "PNG")
    return ".png", buffer.getvalue()


def recompressed(image, facts):
    return ".jpg", encode_jpeg(np.asarray(image), facts)


def audited(folders, output, settings=FEW):
    """The stamp, whether the folders passed or not."""
    try:
        audit_folder.run(*folders, output, settings)
    except AuditError:
        passed = False
    else:
        passed = True
    stamp = json.loads((output / "audit.json").read_text())
    assert stamp["passed"] is passed
    return stamp


def test_a_folder_of_small_pngs_is_told_from_photos_by_format_size_and_tables(folders, tmp_path, capsys):
    write_fakes(folders, as_png)
    stamp = audited(folders, tmp_path / "out")
    biases = {bias["fact"]: bias for bias in stamp["biases"]}
    assert set(biases) >= {"format", "width", "height", "jpeg_tables", "jpeg_quality", "subsampling"}
    assert (biases["format"]["real"], biases["format"]["fake"]) == ("JPEG 100%", "PNG 100%")
    assert biases["width"]["fake"] == "96 100%"
    assert biases["format"]["auroc"]["value"] == 1
    out = capsys.readouterr().out
    assert "format alone 1.000: real JPEG 100%; fake PNG 100%" in out
    assert "Probed 20 of 20 real files and 20 of 20 fake files; 20 of them have the same name." in out


def test_photos_saved_again_with_their_own_tables_pass(folders, tmp_path):
    write_fakes(folders, recompressed)
    stamp = audited(folders, tmp_path / "out")
    assert stamp["passed"]
    assert stamp["biases"] == []
    facts = next(one for one in stamp["probes"] if one["probe"] == "file_facts")
    assert facts["auroc"] == {"value": 0.5, "low": 0.5, "high": 0.5}


def test_the_same_folders_give_the_same_stamp_and_page(folders, tmp_path):
    write_fakes(folders, as_png)
    first, second = (audited(folders, tmp_path / name) for name in ("one", "two"))
    assert first == second
    pages = [(tmp_path / name / "audit.html").read_bytes() for name in ("one", "two")]
    assert pages[0] == pages[1]


def test_a_file_that_is_no_image_is_counted_with_its_reason(folders, tmp_path):
    write_fakes(folders, as_png)
    (folders[1] / "notes.txt").write_text("hello")
    (folders[1] / "empty.png").touch()
    (folders[0] / os.fsdecode(b"b\xff.jpg")).write_bytes(b"no image")
    Image.new("RGB", (8, 8)).save(folders[1] / "dot.png")
    stamp = audited(folders, tmp_path / "out")
    reasons = {row["path"].rpartition("/")[2]: row["error"] for row in stamp["unreadable"]}
    assert set(reasons) == {"notes.txt", "empty.png", "b\\udcff.jpg", "dot.png"}
    assert reasons["empty.png"] == "empty file"
    assert "too small" in reasons["dot.png"]
    assert (stamp["real_files"], stamp["real_probed"]) == (21, 20)
    assert (stamp["fake_files"], stamp["fake_probed"]) == (23, 20)
    assert "notes.txt" in (tmp_path / "out/audit.html").read_text()


def test_names_are_text_on_the_page(folders, tmp_path):
    write_fakes(folders, as_png)
    (folders[1] / "<script>alert(1)<").write_bytes(b"x")
    audited(folders, tmp_path / "out")
    assert "<script>" not in (tmp_path / "out/audit.html").read_text()


def test_no_more_images_are_read_than_asked_for(folders, tmp_path):
    write_fakes(folders, as_png)
    stamp = audited(folders, tmp_path / "out", Settings(samples=100, max_images=10))
    assert (stamp["real_probed"], stamp["real_files"]) == (10, 20)


def test_a_folder_that_is_not_there_or_has_too_few_images_is_told(folders, tmp_path):
    with pytest.raises(SetupError, match=r"no folder at .*nowhere"):
        audit_folder.run(folders[0], tmp_path / "nowhere", tmp_path / "out", FEW)
    with pytest.raises(SetupError, match=r"0 images that can be read in .*fake: name a folder with at least 5"):
        audit_folder.run(*folders, tmp_path / "out", FEW)
    assert not (tmp_path / "out").exists()


def test_the_limit_decides(folders, tmp_path):
    write_fakes(folders, as_png)
    assert not audited(folders, tmp_path / "out")["passed"]
    assert audited(folders, tmp_path / "out", Settings(limit=1.0, samples=100))["passed"]
