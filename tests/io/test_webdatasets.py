"""Images within tars: found by their headers, read in place, nothing unpacked."""

import tarfile

import pytest

from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL
from dda.io import webdatasets
from tests.benchmarks import some, write_tar

ROW = {"real": ["0_real"], "fake": ["1_fake"], "generators": {"gan": "GAN"}, "reals_from": "COCO"}


def found(folder):
    return list(webdatasets.webdataset(folder, ROW))


def test_the_folder_in_a_key_labels_a_member_and_its_bytes_are_read_in_place(tmp_path):
    names = ("gan/0_real/a.png", "./gan/1_fake/a.png", f"gan/1_fake/{'long' * 60}.v1.jpg")
    write_tar(tmp_path / "x/pixel.tar", *names)
    images = found(tmp_path)
    assert [(image.label, image.generator, image.source) for image in images] == [
        (REAL, "GAN", "COCO"),
        (FAKE, "GAN", "generated"),
        (FAKE, "GAN", "generated"),
    ]
    assert [image.image_id for image in images][:2] == ["x/pixel.tar/gan/0_real/a.png", "x/pixel.tar/gan/1_fake/a.png"]
    assert [image.read() for image in images] == some(3)


def test_the_tar_names_the_generator_where_no_folder_does(tmp_path):
    write_tar(tmp_path / "flux-dev/sem-000001.tar", "1_fake/a.png")
    assert [image.generator for image in found(tmp_path)] == ["flux-dev/sem"]


def test_notes_beside_the_images_and_folders_are_no_images(tmp_path):
    write_tar(tmp_path / "a.tar", "gan/1_fake/a.png", "gan/1_fake/a.json", "gan/1_fake/a.txt", "gan/1_fake/a.cls")
    with tarfile.open(tmp_path / "a.tar", "a") as tar:
        folder = tarfile.TarInfo("gan/0_real")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    assert [image.image_id for image in found(tmp_path)] == ["a.tar/gan/1_fake/a.png"]


def test_a_member_without_a_class_is_an_error(tmp_path):
    write_tar(tmp_path / "a.tar", "gan/a.png")
    with pytest.raises(SetupError, match=r"'gan/a.png' in .* has no class; expected one of 0_real, 1_fake"):
        found(tmp_path)


def test_a_link_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        link = tarfile.TarInfo("gan/1_fake/a.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(SetupError, match="is a link or no plain file"):
        found(tmp_path)


@pytest.mark.parametrize("end", [300, 1536, 1600, 2048, 2050])
def test_a_tar_that_ends_early_is_an_error_and_not_a_smaller_set(tmp_path, end):
    write_tar(tmp_path / "a.tar", *(f"gan/1_fake/{number}.png" for number in range(3)))
    whole = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[:end])
    with pytest.raises(SetupError, match="is no whole tar"):
        found(tmp_path)


def test_a_damaged_header_in_the_middle_is_an_error_and_not_the_end(tmp_path):
    write_tar(tmp_path / "a.tar", *(f"gan/1_fake/{number}.png" for number in range(3)))
    damaged = bytearray((tmp_path / "a.tar").read_bytes())
    second = damaged.index(b"gan/1_fake/1.png")
    damaged[second + 3] ^= 1
    (tmp_path / "a.tar").write_bytes(damaged)
    with pytest.raises(SetupError, match="is no whole tar"):
        found(tmp_path)
