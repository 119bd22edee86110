"""JPEG compression as facts, and pixels encoded by these facts."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dda.core.jpeg import GREYSCALE, SUBSAMPLINGS, JpegFacts, encode_jpeg, ijg_tables, jpeg_facts, writable
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


@pytest.mark.parametrize("quality", range(1, 101))
def test_the_quality_of_ijg_tables_is_exact(quality):
    for pixels in (PHOTO[:8, :8], GREY[:8, :8]):
        facts = facts_of(jpeg(pixels, quality=quality))
        assert (facts.quality, facts.quality_exact) == (quality, True)


@pytest.mark.parametrize("quality", [1, 10, 25, 49, 50, 51, 75, 99, 100])
def test_ijg_tables_are_those_of_libjpegs_formula(quality):
    """jpeg_quality_scaling and jpeg_add_quant_table of libjpeg, with force_baseline."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    assert np.array_equal(ijg_tables(quality), ((ijg_tables(50) * scale + 50) // 100).clip(1, 255))


@pytest.mark.parametrize("table", [0, 1])
def test_one_other_divisor_in_any_table_makes_the_quality_the_nearest_one(table):
    facts = facts_of(jpeg(PHOTO, quality=90))
    tables = [list(divisors) for divisors in facts.tables]
    tables[table][20] += 1
    other = replace(facts, tables=tuple(map(tuple, tables)))
    assert (other.quality, other.quality_exact) == (90, False)


@pytest.mark.parametrize(("quality", "factor", "nearest"), [(50, 1.5, 33), (50, 0.5, 75), (80, 1.5, 70)])
def test_scaled_tables_have_the_quality_that_scales_as_much(quality, factor, nearest):
    """Quality 50 is the standard's table, 33 is 1.52 of it, 75 is 0.5, 80 is 0.4, 70 is 0.6."""
    scaled = np.rint(ijg_tables(quality) * factor).astype(int)
    facts = JpegFacts(tuple(map(tuple, scaled.tolist())), "4:2:0", progressive=False)
    assert abs(facts.quality - nearest) <= 1


def test_both_tables_count_for_the_nearest_quality():
    luminance, chrominance = (tuple(ijg_tables(quality)[table].tolist()) for table, quality in enumerate((90, 60)))
    facts = JpegFacts((luminance, chrominance), "4:4:4", progressive=False)
    assert 60 < facts.quality < 90
    assert not facts.quality_exact


@pytest.mark.parametrize("preset", ["web_low", "web_high", "web_maximum", "high"])
def test_tables_of_other_programs_are_not_exact(preset):
    assert not facts_of(jpeg(PHOTO, quality=preset)).quality_exact


def test_one_table_for_light_and_colour_is_not_ijgs():
    table = ijg_tables(75)[0].tolist()
    facts = facts_of(jpeg(PHOTO, qtables=[table, table]))
    assert not facts.quality_exact
    assert facts_of(jpeg(GREY, qtables=[table])).quality_exact


@pytest.mark.parametrize("options", [{"keep_rgb": True}, {"mode": "CMYK"}])
def test_rgb_and_cmyk_are_exact_with_the_luminance_table_alone_as_libjpeg_writes_them(options):
    buffer = BytesIO()
    picture = Image.fromarray(PHOTO).convert(options.pop("mode", "RGB"))
    picture.save(buffer, "JPEG", quality=77, **options)
    facts = facts_of(buffer.getvalue())
    assert set(facts.tables) == {tuple(ijg_tables(77)[0].tolist())}
    assert (facts.quality, facts.quality_exact) == (77, True)


def test_divisors_of_16_bits_and_of_0_have_a_nearest_quality():
    assert JpegFacts(((65535,) * 64,), GREYSCALE, progressive=False).quality == 1
    assert JpegFacts(((0,) * 64,), GREYSCALE, progressive=False).quality == 100


def test_the_ijg_tables_of_quality_50_are_those_of_the_standard():
    luminance, chrominance = ijg_tables(50)
    assert luminance[:8].tolist() == [16, 11, 10, 16, 24, 40, 51, 61]
    assert luminance[-8:].tolist() == [72, 92, 95, 98, 112, 100, 103, 99]
    assert chrominance[:8].tolist() == [17, 18, 24, 47, 99, 99, 99, 99]


def test_the_luminance_table_stands_first():
    facts = facts_of(jpeg(PHOTO, quality=70))
    assert facts.tables[0] == tuple(ijg_tables(70)[0])
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
