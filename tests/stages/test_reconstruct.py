import hashlib
import json
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dda.core.errors import SetupError
from dda.core.reconstruction import psnr
from dda.io import photos, shards, tables
from dda.stages import index, reconstruct


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.tar"))}


def reconstructed(params):
    folder = params.paths.reconstructions / "tiny"
    return folder, tables.records(tables.read(folder / "manifest.parquet"))


def test_every_used_photo_has_a_lossless_reconstruction_of_its_own_size(line):
    folder, rows = reconstructed(line)
    sizes = {row["image_id"]: (row["width"], row["height"]) for row in tables.records(tables.read(line.paths.index))}
    assert {row["image_id"] for row in rows} == set(sizes)
    for row in rows:
        picture = Image.open(BytesIO(shards.read_at(folder / row["shard"], row["offset"], row["size"])))
        assert (picture.format, picture.size) == ("PNG", sizes[row["image_id"]])


def test_the_manifest_tells_the_psnr_that_the_pixels_have(line):
    folder, rows = reconstructed(line)
    paths = {row["image_id"]: row["path"] for row in tables.records(tables.read(line.paths.index))}
    for row in rows[:5]:
        real = np.asarray(Image.open(line.paths.photos / paths[row["image_id"]]))
        fake = np.asarray(Image.open(BytesIO(shards.read_at(folder / row["shard"], row["offset"], row["size"]))))
        assert row["psnr"] == pytest.approx(psnr(real, fake))
        assert 20 < row["psnr"] < 60


def test_a_second_run_keeps_finished_shards_untouched(copied_line):
    folder, _ = reconstructed(copied_line)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.tar")}
    reconstruct.run(copied_line, "tiny")
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.tar")} == before


def test_shards_made_anew_have_the_same_bytes_and_leftovers_are_removed(copied_line):
    folder, _ = reconstructed(copied_line)
    before = digests(folder)
    (folder / ".shard-00001.tar.abc.part").write_bytes(b"half a shard")
    (folder / "shard-00099.tar").write_bytes(b"of another plan")
    (folder / "shard-00000.tar").unlink()
    (folder / "shard-00001.json").unlink()
    reconstruct.run(copied_line, "tiny")
    assert digests(folder) == before
    assert not list(folder.glob(".*"))


def test_one_more_photo_touches_one_shard(copied_line, tiles):
    folder, _ = reconstructed(copied_line)
    before = digests(folder)
    (copied_line.paths.photos / "coffee-tile77.jpg").write_bytes(tiles["coffee-tile00.jpg"])
    index.run(copied_line)
    reconstruct.run(copied_line, "tiny")
    after = digests(folder)
    assert sum(before[name] != after[name] for name in before) == 1


def test_shards_of_other_weights_or_code_are_not_kept(copied_line):
    folder, _ = reconstructed(copied_line)
    for path in folder.glob("shard-*.json"):
        written = json.loads(path.read_text())
        path.write_text(json.dumps(written | {"fingerprint": "of other weights"}))
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.tar")}
    reconstruct.run(copied_line, "tiny")
    assert all(path.stat().st_mtime_ns > before[path] for path in folder.glob("*.tar"))


def test_the_fingerprint_changes_with_weights_and_code(tmp_path, line):
    from dda.io import vaes

    (tmp_path / "vae").mkdir()
    (tmp_path / "vae/model.safetensors").write_bytes(b"one")
    row = {"path": str(tmp_path / "vae")}
    first = vaes.identity(row)
    (tmp_path / "vae/model.safetensors").write_bytes(b"two")
    assert vaes.identity(row) != first
    assert shards.code_digest(photos) != shards.code_digest(shards)


def test_a_photo_that_changed_since_it_was_indexed_is_a_row_with_the_reason(project, tiles):
    params = project(tiles, reconstruct={"max_failed": 0.2})
    index.run(params)
    (params.paths.photos / "coffee-tile00.jpg").write_bytes(tiles["coffee-tile01.jpg"])
    (params.paths.photos / "coffee-tile01.jpg").unlink()
    reconstruct.run(params, "tiny")
    errors = [row["error"] for row in reconstructed(params)[1] if row["error"]]
    assert sorted(errors) == ["cannot be read: No such file or directory", "changed since it was indexed"]


def test_more_failures_than_allowed_stop_the_stage(project, tiles):
    params = project(tiles)
    index.run(params)
    (params.paths.photos / "coffee-tile00.jpg").unlink()
    with pytest.raises(SetupError, match="1 of 20 photos failed"):
        reconstruct.run(params, "tiny")


def test_an_unknown_vae_is_named_with_its_nearest(line):
    with pytest.raises(SetupError, match=r"no VAE 'tinny' in the catalog. Did you mean 'tiny'"):
        reconstruct.run(line, "tinny")
