"""Which files count as images, and what reading one promises."""

import hashlib

import pytest

from dda.core.labels import FAKE
from dda.io.images import LabelledImage, digest_of_set, is_image
from dda.io.photos import PhotoRejected

CONTENT = b"the bytes of an image"


def image(path, **changes):
    facts = {"image_id": "a", "cluster": "a", "generator": "g", "source": "s", "label": FAKE, "path": path}
    return LabelledImage(**facts | changes)


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.JPEG", "a.v1.5.jpg", "a.txt.png", "a", "a.csv.webp", "a.avif", "a.xyz", "txt/a.jpg", "csv"]
)
def test_any_file_counts_as_an_image_whatever_its_extension(name):
    assert is_image(name)


@pytest.mark.parametrize(
    "name",
    [
        *("Thumbs.db", ".DS_Store", "a/.DS_Store", "._a.jpg", "desktop.ini", "list.csv", "a/sums.MD5", "a.jpg.txt"),
        *(".cache/huggingface/a.jpg", ".git/a", "__MACOSX/a.jpg", "README.md", "LICENSE", "a.zip", "a.tar", "a.json"),
    ],
)
def test_lists_and_what_systems_leave_behind_are_no_images(name):
    assert not is_image(name)


def test_bytes_are_given_where_the_checksum_of_the_benchmark_is_theirs(tmp_path):
    (tmp_path / "a.jpg").write_bytes(CONTENT)
    for kind in ("md5", "sha256"):
        right = f"{kind}:{hashlib.new(kind, CONTENT).hexdigest()}"
        assert image(tmp_path / "a.jpg", digest=right).read() == CONTENT
        wrong = f"{kind}:{hashlib.new(kind, b'other').hexdigest()}"
        with pytest.raises(PhotoRejected, match=f"its {kind} is .* and the benchmark says"):
            image(tmp_path / "a.jpg", digest=wrong).read()


def test_a_file_that_is_not_there_is_told_as_not_found(tmp_path):
    with pytest.raises(PhotoRejected, match=r"not found: there is no file a.jpg"):
        image(tmp_path / "a.jpg").read()


def test_a_piece_of_a_tar_that_ends_before_it_is_rejected(tmp_path):
    (tmp_path / "a.tar").write_bytes(CONTENT)
    assert image(tmp_path / "a.tar", place=(4, 5)).read() == CONTENT[4:9]
    with pytest.raises(PhotoRejected, match=r"cannot be read: .* ends before byte 34"):
        image(tmp_path / "a.tar", place=(4, 30)).read()
    with pytest.raises(PhotoRejected, match="empty file"):
        image(tmp_path / "a.tar", place=(4, 0)).read()


def test_a_set_has_another_digest_when_anything_in_it_changes():
    line = ("a", 1, "g", "0f")
    others = [("b", 1, "g", "0f"), ("a", 0, "g", "0f"), ("a", 1, "h", "0f"), ("a", 1, "g", "1f")]
    assert len({digest_of_set([line]), *(digest_of_set([other]) for other in others), digest_of_set([])}) == 6
    assert digest_of_set([line]) == digest_of_set([line])
