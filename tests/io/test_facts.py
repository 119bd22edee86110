"""Facts of stored images: what anybody reads of the file's bytes, the same for every image of one kind."""

from io import BytesIO

import pytest
from PIL import Image

from dda.core.audits import PROBES
from dda.io import evidence, facts, photos


def saved(image, kind, **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


IMAGE = Image.linear_gradient("L").convert("RGB").resize((40, 30))


def test_facts_of_a_jpeg():
    found = facts.stored(saved(IMAGE, "JPEG", quality=90, progressive=True, subsampling="4:2:2"))
    assert len(found.pop("jpeg_tables")) == 16
    assert found == {
        "format": "JPEG",
        "width": 40,
        "height": 30,
        "channels": 3,
        "jpeg_quality": 90,
        "subsampling": "4:2:2",
        "progressive": True,
    }


def test_what_a_png_lacks_is_none():
    found = facts.stored(saved(IMAGE.convert("L"), "PNG"))
    assert (found["format"], found["channels"]) == ("PNG", 1)
    assert {found[key] for key in ("jpeg_quality", "jpeg_tables", "subsampling", "progressive")} == {None}


def test_evidence_has_numbers_for_every_probe():
    content = saved(IMAGE, "JPEG")
    found = evidence.read(content)
    assert found.file_facts == facts.stored(content)
    assert found.file_size[1] == pytest.approx(len(content) / 1200)
    assert all(getattr(found, name) is not None for name in PROBES)


@pytest.mark.parametrize("content", [b"", b"no image", saved(IMAGE, "JPEG")[:300]])
def test_what_cannot_be_read_is_rejected(content):
    with pytest.raises(photos.PhotoRejected):
        evidence.read(content)


def test_evidence_is_gathered_in_order_by_every_reader():
    found = evidence.gathered({"double": lambda item: 2 * item, "same": lambda item: item}, list(range(50)), "counting")
    assert found == {"double": [2 * number for number in range(50)], "same": list(range(50))}


@pytest.mark.parametrize("content", [saved(IMAGE, "JPEG"), saved(IMAGE, "PNG"), saved(IMAGE.convert("L"), "JPEG")])
def test_a_decoded_photo_has_the_facts_of_its_file(content):
    assert facts.of_photo(photos.decode(content, 10**6)) == facts.stored(content)
