from io import BytesIO

import pytest
from PIL import Image

from dda.app import detect
from dda.core.errors import SetupError
from dda.io import tables, worst
from dda.stages import evaluate


def predictions(params, benchmark, protocol="native"):
    table = tables.read(params.paths.predictions / f"embedded/{benchmark}.parquet")
    return table[table["protocol"] == protocol].reset_index(drop=True)


def test_every_side_of_every_held_out_pair_has_a_logit(line):
    table = predictions(line, "aligned-tiny")
    assert table.groupby("label").size().to_dict() == {0: 5, 1: 5}
    assert table["logit"].notna().all()
    assert table.groupby("cluster").size().eq(2).all()
    assert dict(zip(table["label"], table["generator"], strict=True)) == {0: "real", 1: "tiny"}


def test_logits_do_not_depend_on_the_batch(line, tmp_path):
    one = line.evaluate.model_copy(update={"batch_images": 1})
    paths = line.paths.model_copy(update={"predictions": tmp_path})
    evaluate.run(line.model_copy(update={"evaluate": one, "paths": paths}), "embedded", "aligned-tiny")
    alone = predictions(line.model_copy(update={"paths": paths}), "aligned-tiny")
    assert alone["logit"].to_list() == pytest.approx(predictions(line, "aligned-tiny")["logit"].to_list(), abs=1e-4)


@pytest.fixture
def folder_benchmark(copied_line, tiles):
    """A benchmark of class folders with one unreadable file."""
    root = copied_line.paths.benchmarks / "own"
    for name, content in tiles.items():
        place = root / ("real" if name < "d" else "SomeGenerator/fake") / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    (root / "SomeGenerator/fake/broken.jpg").write_bytes(b"no image")
    return copied_line


def test_a_folder_benchmark_is_judged_and_its_unreadable_image_is_a_row(folder_benchmark):
    evaluate.run(folder_benchmark, "embedded", "own")
    table = predictions(folder_benchmark, "own")
    bad = table[table["error"].notna()]
    assert bad["image_id"].to_list() == ["SomeGenerator/fake/broken.jpg"]
    assert bad["logit"].isna().all()
    assert table["label"].value_counts().to_dict() == {0: 9, 1: 12}
    assert set(table["generator"]) == {"own", "SomeGenerator"}


def test_detect_gives_the_same_logit_as_evaluate(folder_benchmark):
    evaluate.run(folder_benchmark, "embedded", "own")
    table = predictions(folder_benchmark, "own").dropna(subset=["logit"]).head(3)
    root = folder_benchmark.paths.benchmarks / "own"
    verdicts = detect.run(folder_benchmark.paths.detectors / "embedded", [root / name for name in table["image_id"]])
    assert [verdict.logit for verdict in verdicts] == pytest.approx(table["logit"].to_list(), abs=1e-4)


def test_formats_that_cannot_train_can_still_be_judged(folder_benchmark, tiles):
    root = folder_benchmark.paths.benchmarks / "own/real"
    photo = Image.open(BytesIO(tiles["coffee-tile00.jpg"]))
    photo.save(root / "a.webp", quality=80)
    photo.convert("CMYK").save(root / "b.jpg")
    photo.convert("P").save(root / "c.gif")
    evaluate.run(folder_benchmark, "embedded", "own")
    assert predictions(folder_benchmark, "own")["error"].notna().sum() == 1


def test_an_unknown_benchmark_is_named_with_its_nearest(line):
    with pytest.raises(SetupError, match=r"no benchmark 'genimagee' in the catalog. Did you mean 'genimage'"):
        evaluate.run(line, "embedded", "genimagee")
    with pytest.raises(SetupError, match=r"no aligned set of 'tinny'. Did you mean 'tiny'"):
        evaluate.run(line, "embedded", "aligned-tinny")


def test_a_missing_detector_says_what_to_do(line):
    with pytest.raises(SetupError, match=r"no detector in .*: run `dvc repro train`"):
        evaluate.run(line, "dinov2-l14", "aligned-tiny")


def test_the_worst_mistakes_are_kept_as_small_pictures(folder_benchmark):
    evaluate.run(folder_benchmark, "embedded", "own")
    kept = worst.read(folder_benchmark.paths.predictions / "embedded/own.parquet")
    rows = [row for rows in kept.values() for row in rows]
    table = predictions(folder_benchmark, "own").set_index("image_id")
    assert rows
    for row in rows:
        assert row["logit"] == table.loc[row["image_id"], "logit"]
        assert (row["logit"] > 0) != bool(table.loc[row["image_id"], "label"])
        assert max(Image.open(BytesIO(row["picture"])).size) <= worst.LONGER_SIDE_PX
