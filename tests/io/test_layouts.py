"""Labelled images on disk: class folders, our own aligned pairs, sets of a user's own, and real benchmarks in small."""

import os
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from dda import catalog
from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL
from dda.embedded.photos import tiles
from dda.io import layouts, shards, tables
from dda.io.photos import PhotoRejected
from tests.benchmarks import counted, some, write_files, write_parquet, write_tar

MINI = Path(__file__).parents[2] / "../shared/data/benchmarks"
MINI_SETS = {
    "genimage": {"Stable Diffusion 1.5": (40, 40), "Midjourney": (16, 16)},
    "forensynths": {"CycleGAN": (25, 25), "stylegan3": (30, 30)},
    "synthbuster": {"real": (12, 0), "DALL-E 2": (0, 8), "Stable Diffusion 1.4": (0, 12)},
    "evalgen": {"Janus": (0, 14), "minDALL-E": (0, 6)},
    "chameleon": {"chameleon": (30, 20)},
}
ROW = {"real": ["0_real", "nature"], "fake": ["1_fake", "ai"]}
CONTENTS = [content for _, content in islice(tiles(), 6)]


def benchmark(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(CONTENTS[0])
    return {image.image_id: image for image in layouts.class_folders(folder, ROW)}


@pytest.fixture
def pair_folder(tmp_path):
    """Two test pairs, a training pair and a failed one, as the align stage stores them."""
    folder, rows = tmp_path / "sd21", []
    kinds = {"image_id": "str", "variant": "Int64", "split": "str", "shard": "str", "error": "str"}
    given = (("a", "test", None), ("b", "train", None), ("c", "test", None), ("d", "test", "x"))
    for number, (image_id, split, error) in enumerate(given):
        names = [f"{image_id}.real.jpg", f"{image_id}.fake.jpg"]
        shard = f"{split}-{number:05d}.tar"
        places = shards.write_shard(folder / shard, zip(names, CONTENTS[:2], strict=True))
        row = {"image_id": image_id, "variant": 0, "split": split, "shard": shard, "error": error}
        for side, name in zip(("real", "fake"), names, strict=True):
            row |= {f"{side}_name": name, f"{side}_offset": places[name][0], f"{side}_size": places[name][1]}
            kinds |= {f"{side}_name": "str", f"{side}_offset": "Int64", f"{side}_size": "Int64"}
        rows.append(row)
    tables.write(folder / "pairs.parquet", rows, kinds)
    return folder


def test_the_folder_of_its_class_labels_an_image(tmp_path):
    images = benchmark(tmp_path, "0_real/a.png", "1_fake/a.png", "nature/b.jpg", "ai/b.jpg")
    assert {name: image.label for name, image in images.items()} == {
        "0_real/a.png": REAL,
        "1_fake/a.png": FAKE,
        "nature/b.jpg": REAL,
        "ai/b.jpg": FAKE,
    }


@pytest.mark.parametrize("name", ["ai/x.png", "biggan/ai/x.png", "biggan/val/ai/x.png", "biggan/ai/dogs/husky/x.png"])
def test_class_folders_may_lie_at_any_depth(tmp_path, name):
    (image,) = benchmark(tmp_path, name).values()
    assert image.label == FAKE
    assert image.path == tmp_path / name
    assert image.read() == CONTENTS[0]


def test_the_nearest_class_folder_counts(tmp_path):
    images = benchmark(tmp_path, "gan/ai/nature/x.png", "gan/nature/ai/x.png")
    assert [image.label for image in images.values()] == [REAL, FAKE]


def test_the_first_folder_names_the_generator(tmp_path):
    images = benchmark(tmp_path / "genimage", "biggan/val/ai/x.png", "biggan/nature/y.png", "progan/cat/1_fake/z.png")
    assert [image.generator for image in images.values()] == ["biggan", "biggan", "progan"]


def test_the_benchmark_names_the_generator_where_its_class_folders_lie_in_it(tmp_path):
    images = benchmark(tmp_path / "chameleon", "0_real/x.png", "1_fake/deep/y.png")
    assert {image.generator for image in images.values()} == {"chameleon"}


def test_every_image_of_a_folder_is_its_own_cluster_under_a_unique_id(tmp_path):
    images = benchmark(tmp_path, "a/ai/x.png", "b/ai/x.png", "b/nature/x.png")
    assert len(images) == 3
    assert all(image.cluster == name for name, image in images.items())


def test_images_come_in_the_same_order_however_they_were_written(tmp_path):
    names = ["ai/b.png", "ai/a.png", "nature/0.png", "ai/c/d.png"]
    first, second = (list(benchmark(tmp_path / str(i), *order)) for i, order in enumerate((names, names[::-1])))
    assert first == second
    assert len(first) == 4


def test_a_file_without_a_label_is_an_error(tmp_path):
    with pytest.raises(SetupError, match=r"other/x.png lies in no class folder; expected one of 0_real, nature"):
        benchmark(tmp_path, "ai/x.png", "other/x.png")


def test_a_file_that_only_bears_the_name_of_a_class_is_not_labelled(tmp_path):
    with pytest.raises(SetupError, match="lies in no class folder"):
        benchmark(tmp_path, "other/ai")


def test_a_benchmark_that_is_not_there_names_the_next_step(tmp_path):
    with pytest.raises(SetupError, match=r"no benchmark folder at .*/genimage: put the benchmark there"):
        list(layouts.class_folders(tmp_path / "genimage", ROW))


def test_what_cannot_be_read_is_still_an_image_with_its_reason(tmp_path):
    (tmp_path / "ai").mkdir()
    (tmp_path / "ai" / "x.png").symlink_to("nowhere")
    (image,) = layouts.class_folders(tmp_path, ROW)
    with pytest.raises(PhotoRejected, match="link that leads nowhere"):
        image.read()


def test_every_id_can_be_held_by_a_table(tmp_path):
    (tmp_path / "ai").mkdir()
    (tmp_path / "ai" / os.fsdecode(b"caf\xe9.png")).write_bytes(CONTENTS[0])
    rows = [{"image_id": image.image_id} for image in layouts.class_folders(tmp_path, ROW)]
    tables.write(tmp_path / "a.parquet", rows, {"image_id": "str"})
    assert len(tables.records(tables.read(tmp_path / "a.parquet"))) == 1


def test_both_sides_of_every_good_pair_of_a_split_are_images(pair_folder):
    images = list(layouts.aligned(pair_folder, "test"))
    assert [(image.image_id, image.label) for image in images] == [
        ("a.real.jpg", REAL),
        ("a.fake.jpg", FAKE),
        ("c.real.jpg", REAL),
        ("c.fake.jpg", FAKE),
    ]


def test_a_pair_is_a_cluster_and_its_generator_is_the_vae(pair_folder):
    real, fake, *_ = layouts.aligned(pair_folder, "test")
    assert (real.cluster, fake.cluster) == ("a", "a")
    assert (real.generator, fake.generator) == ("real", "sd21")
    assert (real.source, fake.source) == ("photos", "generated")


def test_an_image_of_a_pair_is_read_out_of_its_shard(pair_folder):
    (real, fake) = layouts.aligned(pair_folder, "train")
    assert (real.read(), fake.read()) == (CONTENTS[0], CONTENTS[1])


def test_a_split_without_pairs_names_the_next_step(pair_folder):
    with pytest.raises(SetupError, match=r"no pairs of split 'val' in .*sd21: run `dvc repro align`"):
        list(layouts.aligned(pair_folder, "val"))


@pytest.mark.skipif(not MINI.is_dir(), reason="../shared/data/benchmarks is absent")
@pytest.mark.parametrize("name", MINI_SETS)
def test_every_image_of_a_real_benchmark_is_found_with_its_label_and_generator(name):
    images = list(layouts.labelled(catalog.get("benchmarks", name), MINI / f"{name}-mini"))
    counts = Counter((image.generator, image.label) for image in images)
    expected = {(one, label): n for one, both in MINI_SETS[name].items() for label, n in enumerate(both) if n}
    assert counts == expected
    assert all(image.read() for image in images)


@pytest.mark.parametrize("layout", layouts.SHAPES)
def test_a_folder_without_images_is_an_error_that_says_what_was_looked_for(tmp_path, layout):
    write_files(tmp_path, "notes.txt", ".DS_Store")
    row = {"layout": layout, **ROW, "reals": {"real": "real"}, "generators": {"sdxl": "SDXL"}, "list": "list.csv"}
    row |= {"files": "*.parquet", "columns": {"path": "path", "label": "label"}, "labels": {}}
    if layout == "listed":
        (tmp_path / "list.csv").write_text("path,label\n")
    with pytest.raises(
        SetupError, match=r"no image in .*: looked for .*(0_real|sdxl|parquet|list.csv).*, found .*notes"
    ):
        list(layouts.labelled(row, tmp_path))


@pytest.mark.parametrize("layout", layouts.SHAPES)
def test_a_benchmark_that_is_not_there_is_an_error_whatever_its_layout(tmp_path, layout):
    with pytest.raises(SetupError, match=r"no benchmark folder at .*: put the benchmark there"):
        list(
            layouts.labelled(
                {"layout": layout, **ROW, "reals": {}, "generators": {}, "list": "", "files": ""}, tmp_path / "x"
            )
        )


def test_an_unknown_layout_names_the_nearest(tmp_path):
    with pytest.raises(SetupError, match=r"no layout 'class_folder'. Did you mean 'class_folders'"):
        layouts.labelled({"layout": "class_folder"}, tmp_path)


def test_an_id_that_is_there_twice_is_an_error(tmp_path):
    write_tar(tmp_path / "a.tar", "0_real/a.png", "./0_real/a.png")
    with pytest.raises(SetupError, match=r"'a.tar/0_real/a.png' is twice in"):
        list(layouts.labelled({"layout": "webdataset", **ROW}, tmp_path))


def test_a_folder_of_ones_own_needs_no_row(tmp_path):
    write_files(tmp_path / "mine", "REAL/a.png", "gan/fake/a.png", "gan/real/b.png")
    assert counted(layouts.own(tmp_path / "mine")) == {
        (REAL, "mine", "mine"): 1,
        (FAKE, "gan", "generated"): 1,
        (REAL, "gan", "mine"): 1,
    }


def test_a_csv_of_ones_own_may_say_more_than_path_and_label(tmp_path):
    write_files(tmp_path, "a.png", "b.png", "c.png", "d.png")
    lines = [
        "label,path,generator,source,cluster,sha256",
        "real,a.png,,iPhone,1,",
        "0,b.png,gan,,1,",
        "FAKE,c.png,gan,X,,",
    ]
    (tmp_path / "mine.csv").write_text("\n".join([*lines, "1,d.png,,,,"]))
    images = list(layouts.own(tmp_path / "mine.csv"))
    assert counted(images) == {
        (REAL, "real", "iPhone"): 1,
        (REAL, "gan", "mine"): 1,
        (FAKE, "gan", "X"): 1,
        (FAKE, "mine", "generated"): 1,
    }
    assert [image.cluster for image in images] == ["1", "1", "c.png", "d.png"]


def test_a_csv_of_ones_own_with_two_columns_is_enough(tmp_path):
    (tmp_path / "mine.csv").write_text("path,label\nnowhere.png,1\n")
    (image,) = layouts.own(tmp_path / "mine.csv")
    assert (image.image_id, image.label) == ("nowhere.png", FAKE)


def test_a_parquet_of_ones_own_holds_its_images(tmp_path):
    write_parquet(tmp_path / "mine.parquet", {"image": some(2), "label": ["real", "fake"], "source": ["phone", None]})
    images = list(layouts.own(tmp_path / "mine.parquet"))
    assert counted(images) == {(REAL, "real", "phone"): 1, (FAKE, "mine", "generated"): 1}
    assert [image.read() for image in images] == some(2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "is no such file or folder; expected a folder with class folders, a .csv or a .parquet"),
        ("mine.xlsx", "is a file of kind '.xlsx'; expected"),
    ],
)
def test_a_set_of_ones_own_that_cannot_be_read_says_what_is_expected(tmp_path, name, message):
    write_files(tmp_path, "mine.xlsx")
    with pytest.raises(SetupError, match=message):
        layouts.own(tmp_path / name)


def test_a_csv_of_ones_own_without_lines_is_an_error(tmp_path):
    (tmp_path / "mine.csv").write_text("path,label\n")
    with pytest.raises(SetupError, match=r"no image in .*: looked for lines in mine.csv"):
        list(layouts.own(tmp_path / "mine.csv"))
