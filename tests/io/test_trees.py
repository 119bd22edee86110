"""The four shapes of folders: what names a generator, what is skipped, and that nothing is real or fake by default."""

import pytest

from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL
from dda.io import trees
from dda.io.photos import PhotoRejected
from tests.benchmarks import write_files

CLASSES = {"real": ["0_real"], "fake": ["1_fake"]}
SHARED = {"reals": {"real": "real"}, "reals_from": "RAISE", "generators": {"glide": "GLIDE", "sdxl": "SDXL"}}


def found(images):
    return [(image.image_id, image.label, image.generator) for image in images]


def test_folders_around_a_benchmark_name_no_generator(tmp_path):
    write_files(tmp_path, "CNN/test/gan/0_real/a.png", "test/other/1_fake/a.png")
    images = trees.class_folders(tmp_path, {**CLASSES, "outer": ["CNN", "test"]})
    assert [image.generator for image in images] == ["gan", "other"]


def test_folders_that_are_no_part_of_a_benchmark_are_skipped_wherever_they_lie(tmp_path):
    write_files(tmp_path, "gan/train/1_fake/a.png", "gan/val/1_fake/b.png", "train/1_fake/c.png", "gan/1_fake/train")
    images = trees.class_folders(tmp_path, {**CLASSES, "skip": ["train"]})
    assert [image.image_id for image in images] == ["gan/1_fake/train", "gan/val/1_fake/b.png"]


def test_numbers_of_real_and_fake_need_not_be_equal(tmp_path):
    write_files(tmp_path, *(f"gan/1_fake/{number}.png" for number in range(3)), "gan/0_real/0.png")
    assert [image.label for image in trees.class_folders(tmp_path, CLASSES)] == [REAL, FAKE, FAKE, FAKE]


def test_two_files_of_one_base_name_stay_two(tmp_path):
    write_files(tmp_path, "a/1_fake/0.png", "b/1_fake/0.png", "b/1_fake/x/0.png")
    images = list(trees.class_folders(tmp_path, CLASSES))
    assert [image.image_id for image in images] == ["a/1_fake/0.png", "b/1_fake/0.png", "b/1_fake/x/0.png"]
    assert len({image.read() for image in images}) == 3


@pytest.mark.parametrize("name", ["v1.5.jpg", "a.b.c.png", "no-extension", "x.xyz"])
def test_an_extension_is_no_reason_to_leave_an_image_out(tmp_path, name):
    write_files(tmp_path, f"gan/1_fake/{name}")
    assert [image.path.name for image in trees.class_folders(tmp_path, CLASSES)] == [name]


def test_lists_beside_the_images_are_no_images(tmp_path):
    write_files(tmp_path, "1_fake/a.png", "1_fake/Thumbs.db", "1_fake/.a.png", "checksums.md5", "list.csv", ".cache/a")
    assert [image.image_id for image in trees.class_folders(tmp_path, CLASSES)] == ["1_fake/a.png"]


def test_a_link_to_a_folder_is_not_followed_and_keeps_its_row(tmp_path):
    write_files(tmp_path / "elsewhere", "a.png")
    write_files(tmp_path / "set", "gan/1_fake/b.png")
    (tmp_path / "set/gan/1_fake/c").symlink_to(tmp_path / "elsewhere")
    *_, link = trees.class_folders(tmp_path / "set", CLASSES)
    assert link.image_id == "gan/1_fake/c"
    with pytest.raises(PhotoRejected, match="link to a folder, not followed"):
        link.read()


def test_a_link_to_a_file_is_the_file(tmp_path):
    write_files(tmp_path, "elsewhere.png", "set/1_fake/a.png")
    (tmp_path / "set/1_fake/b.png").symlink_to(tmp_path / "elsewhere.png")
    *_, link = trees.class_folders(tmp_path / "set", CLASSES)
    assert link.read() == (tmp_path / "elsewhere.png").read_bytes()


def test_platforms_are_sources_of_real_and_fake(tmp_path):
    write_files(tmp_path, "fb/Fake/flux/a.png", "fb/Real/ffhq/a.png", "pre/Fake/flux/a.png")
    row = {"real": ["Real"], "fake": ["Fake"], "platforms": True, "generator_below": True}
    images = trees.class_folders(tmp_path, row)
    told = [(image.generator, image.source) for image in images]
    assert told == [("flux", "fb"), ("real", "fb"), ("flux", "pre")]


def test_reals_in_a_folder_of_their_own_serve_all_generators(tmp_path):
    write_files(tmp_path, "glide/a.png", "real/a.png", "sdxl/deep/a.png")
    images = list(trees.shared_reals(tmp_path, SHARED))
    assert found(images) == [
        ("glide/a.png", FAKE, "GLIDE"),
        ("real/a.png", REAL, "real"),
        ("sdxl/deep/a.png", FAKE, "SDXL"),
    ]
    assert [image.source for image in images] == ["generated", "RAISE", "generated"]
    assert [image.cluster for image in images] == [image.image_id for image in images]


@pytest.mark.parametrize("shape", [trees.shared_reals, trees.paired])
def test_a_folder_that_nobody_named_is_neither_real_nor_fake(tmp_path, shape):
    write_files(tmp_path, "glide/a.png", "reals/a.png")
    with pytest.raises(SetupError, match=r"no folder of reals and of no generator. Did you mean 'real'"):
        list(shape(tmp_path, SHARED))


def test_reals_within_a_generators_folder_are_its_own(tmp_path):
    write_files(tmp_path, "glide/0_real/a.png", "glide/1_fake/a.png", "real/a.png")
    images = trees.shared_reals(tmp_path, {**SHARED, **CLASSES})
    assert [(image.label, image.generator) for image in images] == [(REAL, "GLIDE"), (FAKE, "GLIDE"), (REAL, "real")]


def test_what_bears_the_same_id_is_one_cluster(tmp_path):
    write_files(tmp_path, "glide/r01t.png", "real/r01t.jpg", "sdxl/r01t.v.png", "sdxl/r02t.png")
    assert [image.cluster for image in trees.paired(tmp_path, SHARED)] == ["r01t", "r01t", "r01t.v", "r02t"]


def test_only_the_files_that_are_scored_are_found(tmp_path):
    write_files(tmp_path, *(f"Flux/p1_{number}.jpg" for number in range(12)))
    images = trees.fakes_only(tmp_path, {"files": "*_0.*"})
    assert found(images) == [("Flux/p1_0.jpg", FAKE, "Flux")]


@pytest.mark.parametrize("name", ["0_real", "Real", "flux/nature"])
def test_reals_among_fakes_only_are_an_error(tmp_path, name):
    write_files(tmp_path, f"{name}/a.png")
    with pytest.raises(SetupError, match="holds fakes only: move it"):
        list(trees.fakes_only(tmp_path, {}))


def test_a_fake_outside_of_every_generators_folder_is_an_error(tmp_path):
    write_files(tmp_path, "a.png")
    with pytest.raises(SetupError, match="lies in no generator's folder"):
        list(trees.fakes_only(tmp_path, {}))


def test_a_damaged_image_keeps_its_row(tmp_path):
    write_files(tmp_path, "glide/a.png", "glide/c.png", "real/a.png")
    (tmp_path / "glide/b.png").write_bytes(b"")
    images = list(trees.shared_reals(tmp_path, SHARED))
    assert [image.image_id for image in images] == ["glide/a.png", "glide/b.png", "glide/c.png", "real/a.png"]
    with pytest.raises(PhotoRejected, match="empty file"):
        images[1].read()
