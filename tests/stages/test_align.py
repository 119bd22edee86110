import json
import tarfile
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dda.core.jpeg import jpeg_facts
from dda.io import pairs, photos, shards, tables
from dda.stages import align


def table(params):
    return tables.records(tables.read(params.paths.aligned / "tiny/pairs.parquet"))


def test_each_split_has_a_webdataset_shard_with_three_members_per_pair(line):
    rows = table(line)
    for split in ("train", "val", "test"):
        with tarfile.open(line.paths.aligned / f"tiny/{split}-00000.tar") as tar:
            names = tar.getnames()
        ids = sorted(row["image_id"] for row in rows if row["split"] == split)
        expected = [f"{one}.{end}" for one in ids for end in ("real.jpg", "fake.jpg", "json")]
        assert names == expected


def test_the_real_file_is_untouched_byte_for_byte(line):
    paths = {row["image_id"]: row["path"] for row in tables.records(tables.read(line.paths.index))}
    for row in table(line):
        stored = shards.read_at(line.paths.aligned / "tiny" / row["shard"], row["real_offset"], row["real_size"])
        assert stored == (line.paths.photos / paths[row["image_id"]]).read_bytes()


def test_the_fake_file_has_the_tables_size_and_subsampling_of_its_real(line):
    for row in table(line):
        folder = line.paths.aligned / "tiny" / row["shard"]
        opened = [
            Image.open(BytesIO(shards.read_at(folder, row[f"{side}_offset"], row[f"{side}_size"])))
            for side in ("real", "fake")
        ]
        assert opened[0].size == opened[1].size
        assert jpeg_facts(opened[0]) == jpeg_facts(opened[1])


def test_only_training_pairs_are_mixed_and_the_weights_are_told(copied_line):
    mixed = copied_line.align.model_copy(
        update={"train": copied_line.align.train.model_copy(update={"mix_probability": 1.0})}
    )
    align.run(copied_line.model_copy(update={"align": mixed}), "tiny")
    weights = {
        split: [row["real_weight"] for row in table(copied_line) if row["split"] == split]
        for split in ("train", "test")
    }
    assert all(0 < weight < 0.8 for weight in weights["train"])
    assert set(weights["test"]) == {0.0}


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_weights(copied_line):
    folder = copied_line.paths.aligned / "tiny"
    before = {path.name: path.read_bytes() for path in folder.glob("*.tar")}
    align.run(copied_line, "tiny")
    assert {path.name: path.read_bytes() for path in folder.glob("*.tar")} == before
    weights = [row["real_weight"] for row in table(copied_line)]
    other = copied_line.align.model_copy(update={"seed": 1})
    align.run(copied_line.model_copy(update={"align": other}), "tiny")
    assert [row["real_weight"] for row in table(copied_line)] != weights


def test_the_json_member_tells_how_the_pair_was_made(line):
    row = table(line)[0]
    with tarfile.open(line.paths.aligned / "tiny" / row["shard"]) as tar:
        told = json.load(tar.extractfile(f"{row['image_id']}.json"))
    assert told["real_weight"] == row["real_weight"]
    assert (told["vae"], told["jpeg_matched"], told["label"]) == ("tiny", True, {"real": 0, "fake": 1})


def test_without_matching_the_fake_is_stored_losslessly(copied_line):
    never = copied_line.align.held_out.model_copy(update={"jpeg_probability": 0.0})
    align.run(
        copied_line.model_copy(update={"align": copied_line.align.model_copy(update={"held_out": never})}), "tiny"
    )
    test_rows = [row for row in table(copied_line) if row["split"] == "test"]
    assert {row["fake_format"] for row in test_rows} == {"PNG"}
    assert not any(row["jpeg_matched"] for row in test_rows)


def test_a_photo_that_changed_since_it_was_indexed_is_a_row_with_the_reason(copied_line, tiles):
    (copied_line.paths.photos / "coffee-tile00.jpg").write_bytes(tiles["coffee-tile01.jpg"])
    allowed = copied_line.align.model_copy(update={"max_failed": 0.1})
    align.run(copied_line.model_copy(update={"align": allowed}), "tiny")
    failed = [row for row in table(copied_line) if row["error"]]
    assert [row["error"] for row in failed] == ["changed since it was indexed"]
    assert len(pairs.load(copied_line.paths.aligned / "tiny", "test").rows) == 4


@pytest.mark.parametrize("side", ["real", "fake"])
def test_pairs_are_read_as_pixels_of_one_size(line, side):
    pair_set = pairs.load(line.paths.aligned / "tiny", "test")
    row = pair_set.rows[0]
    pixels = pair_set.pixels(row, side)
    assert pixels.shape == (row["real_height"], row["real_width"], 3)
    assert np.array_equal(pixels, photos.decode_any(pair_set.content(row, side), 10**6))
