"""JPEG compression as facts, and pixels encoded by these facts."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dda.core.jpeg import GREYSCALE, SUBSAMPLINGS, encode_jpeg, ijg_luminance, jpeg_facts, writable
from dda.embedded.photos import PHOTOGRAPHS, originals

PHOTOGRAPH = next(one for one in PHOTOGRAPHS if one.name == "chelsea")
PHOTO = np.asarray(originals(PHOTOGRAPH)[0])[60:133, 100:203]
GREY = np.asarray(Image.fromarray(PHOTO).convert("L"))
compression = {
    "quality": st.integers(1, 100),
    "subsampling": st.sampled_from(sorted(SUBSAMPLINGS)),
    "progressive": st.booleans(),
}


def jpeg(pixels, **options):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def opened(content):
    return Image.open(BytesIO(content))


def facts_of(content):
    return jpeg_facts(opened(content))


def with_spare_table(content, number):
    """The same JPEG with one more table, which no component uses."""
    return content[:2] + b"\xff\xdb\x00\x43" + bytes([number]) + bytes([77] * 64) + content[2:]


def with_swapped_tables(content):
    """The same JPEG with the luminance's table stored as number 1 and the chrominance's as number 0."""
    changed, position = bytearray(content), 2
    while (marker := content[position + 1]) != 0xDA:
        if marker == 0xDB:
            changed[position + 4] ^= 1
        if marker == 0xC0:
            for component in range(3):
                changed[position + 12 + 3 * component] ^= 1
        position += 2 + int.from_bytes(content[position + 2 : position + 4])
    return bytes(changed)


@settings(max_examples=40, deadline=None)
@given(**compression)
def test_an_encoded_picture_has_the_facts_it_was_given(quality, subsampling, progressive):
    facts = facts_of(jpeg(PHOTO, quality=quality, subsampling=subsampling, progressive=progressive))
    assert facts.progressive == progressive
    assert facts_of(encode_jpeg(PHOTO[::-1], facts)) == facts


@settings(max_examples=20, deadline=None)
@given(quality=st.integers(1, 100), progressive=st.booleans())
def test_an_encoded_greyscale_picture_has_the_facts_it_was_given(quality, progressive):
    facts = facts_of(jpeg(GREY, quality=quality, progressive=progressive))
    content = encode_jpeg(GREY[::-1], facts)
    assert facts_of(content) == facts
    assert opened(content).mode == "L"


@settings(max_examples=20, deadline=None)
@given(**compression)
def test_the_same_pixels_give_the_very_bytes_of_the_file_the_facts_are_from(quality, subsampling, progressive):
    content = jpeg(PHOTO, quality=quality, subsampling=subsampling, progressive=progressive)
    assert encode_jpeg(PHOTO, facts_of(content)) == content


@settings(max_examples=30, deadline=None)
@given(quality=st.integers(1, 100))
def test_the_quality_of_ijg_tables_is_exact(quality):
    assert facts_of(jpeg(PHOTO, quality=quality)).quality == quality


def test_the_quality_of_other_tables_is_the_nearest_one():
    facts = facts_of(jpeg(PHOTO, quality=90))
    first, *others = facts.tables[0]
    assert replace(facts, tables=((first + 1, *others), facts.tables[1])).quality == 90


def test_the_ijg_table_of_quality_50_is_the_one_of_the_standard():
    table = ijg_luminance(50)
    assert table[:8].tolist() == [16, 11, 10, 16, 24, 40, 51, 61]
    assert table[-8:].tolist() == [72, 92, 95, 98, 112, 100, 103, 99]


def test_the_luminance_table_stands_first():
    facts = facts_of(jpeg(PHOTO, quality=70))
    assert facts.tables[0] == tuple(ijg_luminance(70))
    assert facts.tables[1] != facts.tables[0]


@pytest.mark.parametrize(("number", "name"), SUBSAMPLINGS.items())
def test_a_subsampling_has_its_usual_name(number, name):
    assert facts_of(jpeg(PHOTO, subsampling=number)).subsampling == name


def test_a_greyscale_file_has_the_subsampling_of_greyscale():
    facts = facts_of(jpeg(GREY))
    assert facts.subsampling == GREYSCALE
    assert writable(facts)


def test_a_subsampling_that_pillow_cannot_write_is_named_by_its_factors():
    content = bytearray(jpeg(PHOTO, subsampling="4:2:2"))
    content[content.index(b"\xff\xc0") + 11] = 0x12
    facts = facts_of(bytes(content))
    assert facts.subsampling == "1x2,1x1,1x1"
    assert not writable(facts)


def test_equal_tables_have_equal_digests_and_others_have_others():
    digests = [facts_of(jpeg(PHOTO, quality=quality)).tables_digest for quality in (80, 80, 81)]
    assert digests[0] == digests[1] != digests[2]
    assert len(digests[0]) == 16
    assert int(digests[0], 16) >= 0


def test_three_tables_stay_three_tables():
    content = jpeg(PHOTO, qtables=[[3] * 64, [5] * 64, [9] * 64])
    facts = facts_of(content)
    assert facts.tables == ((3,) * 64, (5,) * 64, (9,) * 64)
    assert facts_of(encode_jpeg(PHOTO, facts)) == facts


def test_tables_that_are_stored_in_another_order_are_the_same_tables():
    content = jpeg(PHOTO, quality=60)
    swapped = with_swapped_tables(content)
    assert (np.asarray(opened(swapped)) == np.asarray(opened(content))).all()
    assert facts_of(swapped).quality == 60
    assert np.array_equal(np.asarray(opened(encode_jpeg(PHOTO, facts_of(swapped)))), np.asarray(opened(content)))


def test_a_table_that_no_colour_uses_does_not_reach_the_fake():
    content = jpeg(PHOTO, quality=90)
    facts = facts_of(with_spare_table(content, 2))
    assert np.array_equal(np.asarray(opened(encode_jpeg(PHOTO, facts))), np.asarray(opened(content)))


def test_a_table_that_greyscale_does_not_use_does_not_part_real_and_fake():
    facts = facts_of(with_spare_table(jpeg(GREY, quality=90), 1))
    assert facts_of(encode_jpeg(GREY, facts)).tables_digest == facts.tables_digest


def test_a_file_that_stores_rgb_is_either_matched_or_not_writable():
    real = opened(jpeg(PHOTO, keep_rgb=True))
    facts = jpeg_facts(real)
    if writable(facts):
        fake = opened(encode_jpeg(PHOTO, facts))
        assert fake.info.get("adobe_transform") == real.info.get("adobe_transform")


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_even_noise_can_be_encoded_progressively(subsampling):
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    facts = replace(facts_of(jpeg(PHOTO, quality=100, subsampling=subsampling)), progressive=True)
    assert opened(encode_jpeg(noise, facts)).size == (512, 512)


def test_encoding_leaves_pillows_buffer_as_it_was_since_png_bytes_depend_on_it():
    from PIL import ImageFile

    before = ImageFile.MAXBLOCK
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    encode_jpeg(noise, replace(facts_of(jpeg(PHOTO, quality=100, subsampling="4:4:4")), progressive=True))
    assert before == ImageFile.MAXBLOCK
