"""Lists of files: every line keeps its row, and no path is trusted."""

import pytest

from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL
from dda.io import listings
from dda.io.photos import PhotoRejected
from tests.benchmarks import write_files

ROW = {
    "list": "list.csv",
    "columns": {"path": "filename", "label": "kind", "cluster": "source_id", "md5": "md5"},
    "labels": {"REAL": "real", "FAKE": "fake"},
}
WORDS = {
    "list": "test.txt",
    "separator": "space",
    "columns": {"path": 0, "label": 1, "generator": 1},
    "labels": {"live": "real", "physical*": "fake", "digital": "fake"},
}
HEADER = "kind,filename,source_id,md5"


def from_csv(folder, *lines, header=HEADER):
    (folder / "list.csv").write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return list(listings.listed(folder, ROW))


def from_words(folder, text):
    (folder / "test.txt").write_text(text, "utf-8")
    return list(listings.listed(folder, WORDS))


def test_a_line_is_an_image_with_its_label_and_its_group(tmp_path):
    write_files(tmp_path, "REAL/s1/a.jpg", "FAKE/s2/a.jpg")
    real, fake = from_csv(tmp_path, "REAL,REAL/s1/a.jpg,s1,", "fake,./FAKE/s2/a.jpg,,")
    assert (real.image_id, real.label, real.generator, real.cluster) == ("REAL/s1/a.jpg", REAL, "real", "s1")
    assert (fake.image_id, fake.label, fake.generator, fake.cluster) == (
        "FAKE/s2/a.jpg",
        FAKE,
        tmp_path.name,
        "FAKE/s2/a.jpg",
    )
    assert fake.read() == (tmp_path / "FAKE/s2/a.jpg").read_bytes()


def test_a_file_that_is_not_there_keeps_its_row(tmp_path):
    write_files(tmp_path, "a.jpg", "c.jpg")
    images = from_csv(tmp_path, "REAL,a.jpg,,", "FAKE,b.jpg,,", "FAKE,c.jpg,,")
    assert [image.image_id for image in images] == ["a.jpg", "b.jpg", "c.jpg"]
    with pytest.raises(PhotoRejected, match="not found"):
        images[1].read()


def test_a_file_with_another_checksum_is_rejected(tmp_path):
    write_files(tmp_path, "a.jpg")
    (image,) = from_csv(tmp_path, f"REAL,a.jpg,,{'0' * 32}")
    with pytest.raises(PhotoRejected, match=r"its md5 is .*, and the benchmark says 000"):
        image.read()


@pytest.mark.parametrize("path", ["/etc/passwd", "../a.jpg", "a/../../b.jpg", "a\\b.jpg", "C:/a.jpg", ""])
def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path, path):
    with pytest.raises(SetupError, match=r"line 2 of list.csv names the file .*; expected a path below the list's own"):
        from_csv(tmp_path, f"REAL,{path},s,")


def test_a_path_through_a_link_to_a_folder_is_refused(tmp_path):
    write_files(tmp_path / "elsewhere", "a.jpg")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SetupError, match="behind a link to a folder"):
        from_csv(tmp_path / "set", "REAL,link/a.jpg,s,")


def test_a_label_that_nobody_mapped_is_an_error(tmp_path):
    with pytest.raises(SetupError, match=r"line 3 of list.csv has the label 'tampered'; known are REAL \(real\)"):
        from_csv(tmp_path, "REAL,a.jpg,,", "tampered,b.jpg,,")


@pytest.mark.parametrize("digest", ["abc", "z" * 32])
def test_a_checksum_that_is_none_is_an_error(tmp_path, digest):
    with pytest.raises(SetupError, match=r"has the md5 .*; expected 32 hex digits"):
        from_csv(tmp_path, f"REAL,a.jpg,,{digest}")


def test_a_list_without_a_column_names_the_nearest(tmp_path):
    with pytest.raises(SetupError, match=r"list.csv has no column 'filename'. Did you mean 'filenames'"):
        from_csv(tmp_path, header="kind,filenames,source_id,md5")


def test_a_list_that_is_no_text_is_an_error(tmp_path):
    (tmp_path / "list.csv").write_bytes(b"kind,filename,source_id,md5\nREAL,\xff\xfe.jpg,,\n")
    with pytest.raises(SetupError, match=r"cannot be read: .*; expected text in UTF-8"):
        list(listings.listed(tmp_path, ROW))


def test_no_list_and_two_lists_are_errors(tmp_path):
    with pytest.raises(SetupError, match=r"expected one list list.csv below .*, found none"):
        list(listings.listed(tmp_path, ROW))
    write_files(tmp_path, "a/list.csv", "b/list.csv")
    with pytest.raises(SetupError, match=r"found a/list.csv, b/list.csv"):
        list(listings.listed(tmp_path, ROW))


def test_paths_are_seen_from_the_lists_own_folder(tmp_path):
    write_files(tmp_path, "below/a.jpg")
    (tmp_path / "below/list.csv").write_text(f"{HEADER}\nREAL,a.jpg,,\n")
    (image,) = listings.listed(tmp_path, ROW)
    assert (image.image_id, image.path) == ("below/a.jpg", tmp_path / "below/a.jpg")


def test_the_kind_of_attack_is_the_generator_and_live_is_real(tmp_path):
    images = from_words(tmp_path, "a.jpg live\nb c.jpg physical-print\n\nd.jpg digital\n")
    assert [(image.image_id, image.label, image.generator) for image in images] == [
        ("a.jpg", REAL, "real"),
        ("b c.jpg", FAKE, "physical-print"),
        ("d.jpg", FAKE, "digital"),
    ]


def test_a_line_with_too_few_words_is_an_error(tmp_path):
    with pytest.raises(SetupError, match=r"line 2 of test.txt has 1 of 2 words"):
        from_words(tmp_path, "a.jpg live\nb.jpg\n")
