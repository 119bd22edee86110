import json
import subprocess
import tarfile
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dda.core.jpeg import jpeg_facts
from dda.io import layouts, pairs, photos, shards, tables
from dda.params.sections import Align
from dda.stages import align, audit


def with_steps(params, variants=1, **steps):
    """The parameters with other steps for `train` or `held_out`: name -> its settings, in this order."""
    chosen = {
        part: {"variants": variants, "steps": [{"step": name, **keys} for name, keys in of.items()]}
        for part, of in steps.items()
    }
    align_section = Align.model_validate(params.align.model_dump() | chosen)
    return params.model_copy(update={"align": align_section})


ALWAYS = {"probability": 1.0}
MATCH = {"match_jpeg": {**ALWAYS, "by": "tables"}}


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
    mix = {"mix_pixels": {**ALWAYS, "real_weight": [0.0, 0.8]}}
    align.run(with_steps(copied_line, train={**mix, **MATCH}), "tiny")
    weights = {
        split: [row["real_weight"] for row in table(copied_line) if row["split"] == split]
        for split in ("train", "test")
    }
    assert all(0 < weight < 0.8 for weight in weights["train"])
    assert set(weights["test"]) == {0.0}


def test_every_row_says_what_was_done_in_order_and_the_columns_say_the_same(copied_line):
    steps = {
        "mix_bands": {**ALWAYS, "real_weight": [0.5, 0.5], "bands": [6, 14]},
        "equalise_bands": ALWAYS,
        "mix_frequencies": {**ALWAYS, "real_weight": [1.0, 1.0], "cutoff": 0.2},
        "copy_clipped": ALWAYS,
    }
    align.run(with_steps(copied_line, train={**steps, **MATCH}, held_out=MATCH), "tiny")
    for row in table(copied_line):
        done = [step["step"] for step in json.loads(row["steps"])]
        trained = row["split"] == "train"
        assert done == [*(steps if trained else []), "match_jpeg"]
        assert (row["first_band"], row["last_band"]) == ((6, 14) if trained else (None, None))
        assert (row["band_real_weight"], row["frequency_real_weight"]) == ((0.5, 1.0) if trained else (0.0, 0.0))
        assert (row["cutoff"], row["jpeg_matched"]) == (0.2 if trained else None, "tables")
        assert row["bands_equalised"] is row["clipped_copied"] is trained


def test_variants_share_the_real_and_have_fakes_of_their_own(copied_line):
    low = {"mix_frequencies": {**ALWAYS, "real_weight": [1.0, 1.0], "cutoff": 0.13}}
    mix = {"mix_pixels": {**ALWAYS, "real_weight": [0.0, 0.8]}}
    align.run(with_steps(copied_line, variants=3, train={**low, **mix, **MATCH}), "tiny")
    rows = [row for row in table(copied_line) if row["split"] == "train"]
    by_photo = {}
    for row in rows:
        by_photo.setdefault(row["image_id"], []).append(row)
    for image_id, variants in by_photo.items():
        assert [row["variant"] for row in variants] == [0, 1, 2]
        assert [row["fake_name"] for row in variants] == [
            f"{image_id}.{word}.jpg" for word in ("fake", "fake1", "fake2")
        ]
        assert len({row["real_offset"] for row in variants}) == 1
        assert len({row["real_weight"] for row in variants}) == len({row["fake_sha256"] for row in variants}) == 3
    held_out = [row for row in table(copied_line) if row["split"] == "test"]
    assert {row["variant"] for row in held_out} == {0}
    audit.run(copied_line, "tiny")
    assert len(list(layouts.aligned(copied_line.paths.aligned / "tiny", "train"))) == 4 * len(by_photo)


def test_order_and_number_of_threads_change_no_byte(copied_line, monkeypatch):
    folder = copied_line.paths.aligned / "tiny"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("dda.io.devices.cores", lambda: 7)
    align.run(copied_line, "tiny")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_weights(copied_line):
    folder = copied_line.paths.aligned / "tiny"
    before = {path.name: path.read_bytes() for path in folder.glob("*.tar")}
    align.run(copied_line, "tiny")
    assert {path.name: path.read_bytes() for path in folder.glob("*.tar")} == before
    mixed = with_steps(copied_line, train={"mix_pixels": {**ALWAYS, "real_weight": [0.0, 0.8]}, **MATCH})
    align.run(mixed, "tiny")
    weights = [row["real_weight"] for row in table(copied_line)]
    other = mixed.align.model_copy(update={"seed": 1})
    align.run(mixed.model_copy(update={"align": other}), "tiny")
    assert [row["real_weight"] for row in table(copied_line)] != weights


def test_another_process_makes_the_same_bytes(copied_line):
    folder = copied_line.paths.aligned / "tiny"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.unlink()
    subprocess.run(["dda", "align", "tiny"], check=True, timeout=600)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_json_member_tells_how_the_pair_was_made(line):
    row = table(line)[0]
    with tarfile.open(line.paths.aligned / "tiny" / row["shard"]) as tar:
        told = json.load(tar.extractfile(f"{row['image_id']}.json"))
    assert told["fakes"] == {row["fake_name"]: json.loads(row["steps"])}
    assert told["fakes"][row["fake_name"]][-1] == {"step": "match_jpeg", "by": "tables"}
    assert (told["vae"], told["label"]) == ("tiny", {"real": 0, "fake": 1})


def test_without_matching_the_fake_is_stored_losslessly(copied_line):
    align.run(with_steps(copied_line, held_out={}), "tiny")
    test_rows = [row for row in table(copied_line) if row["split"] == "test"]
    assert {row["fake_format"] for row in test_rows} == {"PNG"}
    assert {row["jpeg_matched"] for row in test_rows} == {None}
    assert {row["steps"] for row in test_rows} == {"[]"}


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
