"""Facts of any bytes whatever: true where there are some, and never an error."""

import json
import struct
import time
import zlib
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

from dda.core.sentences import CAUTION
from dda.io.traces import facts
from tests import marked
from tests.marked import COFFEE, XMP, exif_with, png_with, saved

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
CAMERA = {
    "Make": "Canon",
    "Model": "EOS 5D\x1b[31m",
    "Software": "GIMP 2.10",
    "DateTimeOriginal": "2019:05:04 10:11:12",
}


def located():
    exif = exif_with(**CAMERA)
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48.0, 51.0, 29.0)})
    return exif


PHOTO = saved(
    "JPEG", COFFEE, quality=85, exif=located(), icc_profile=PROFILE, comment=b"from \x07 far", progressive=True
)
FILES = {
    "JPEG": saved("JPEG", exif=located(), icc_profile=PROFILE, xmp=(XMP % "digitalCapture").encode(), comment=b"hello"),
    "signed JPEG": marked.signed_jpeg(marked.credentials()),
    "PNG": png_with(parameters="Steps: 20, Sampler: Euler a", prompt='{"class_type": "KSampler"}'),
    "signed PNG": marked.signed_png(marked.credentials()),
    "WebP": marked.signed_webp(marked.credentials()),
    "AVIF": marked.signed_avif(marked.credentials()),
    "GIF": saved("GIF"),
    "TIFF": saved("TIFF", exif=exif_with(Make="Canon")),
}


def test_a_jpeg_tells_how_it_is_compressed():
    found = facts(PHOTO)
    assert {key: found[key] for key in ("format", "width", "height", "mode", "error")} == {
        "format": "JPEG",
        "width": 600,
        "height": 400,
        "mode": "RGB",
        "error": None,
    }
    jpeg = found["jpeg"]
    assert (jpeg["quality"], jpeg["quality_exact"], jpeg["subsampling"]) == (85, True, "4:2:0")
    assert jpeg["progressive"]
    assert not jpeg["restarts"]
    assert jpeg["comment"] == "from far"
    assert not jpeg["recompressed"]["found"]
    assert len(found["sha256"]) == 64
    assert found["bytes"] == len(PHOTO)


def test_restart_markers_are_seen():
    assert facts(saved("JPEG", restart_marker_rows=1))["jpeg"]["restarts"]


def test_a_camera_is_named_in_letters_that_steer_no_terminal():
    camera = facts(PHOTO)["camera"]
    assert camera == {"make": "Canon", "model": "EOS 5D [31m", "software": "GIMP 2.10", "taken": "2019:05:04 10:11:12"}


def test_a_position_is_mentioned_and_never_shown():
    found = facts(PHOTO)
    assert found["position"]
    assert not any(number in json.dumps(found) for number in ("48.0", "51.0", "29.0"))


def test_a_profile_and_a_thumbnail_are_mentioned():
    assert facts(PHOTO)["icc"] == "sRGB built-in"
    assert not facts(PHOTO)["thumbnail"]


def test_the_pictures_of_a_phone_are_counted():
    content = saved("MPO", save_all=True, append_images=[marked.SMALL])
    assert (facts(content)["format"], facts(content)["pictures"]) == ("MPO", 2)


def test_a_generators_mark_in_any_kind_of_comment_is_found():
    words = "Steps: 20, Sampler: Euler a, CFG scale: 7"
    comments = (
        words,
        b"UNICODE\0" + words.encode("utf-16-be"),
        b"UNICODE\0" + words.encode("utf-16-le"),
        b"ASCII\0\0\0" + words.encode(),
    )
    for comment in comments:
        (mark,) = facts(saved("JPEG", exif=exif_with(UserComment=comment)))["generator"]
        assert mark["where"] == "exif:UserComment"


def test_an_earlier_compression_is_told_with_its_quality():
    earlier = Image.open(BytesIO(saved("JPEG", COFFEE, quality=60)))
    found = facts(saved("JPEG", earlier.convert("RGB"), quality=90))
    assert abs(found["jpeg"]["recompressed"]["quality"] - 60) <= 1
    assert any("stored as a JPEG of about quality 60 before" in sentence for sentence in found["sentences"])


def test_an_earlier_compression_by_a_programs_own_tables_is_told_without_a_quality():
    earlier = Image.open(BytesIO(saved("JPEG", COFFEE, quality="high")))
    found = facts(saved("JPEG", earlier.convert("RGB"), quality=90))
    assert found["jpeg"]["recompressed"]["found"]
    assert found["jpeg"]["recompressed"]["quality"] is None
    assert any("with other tables before" in sentence for sentence in found["sentences"])


def test_a_thumbnail_is_mentioned():
    entry = struct.pack("<HHII", 0x0201, 4, 1, 100)
    exif = b"Exif\0\0II*\0" + struct.pack("<IHIH", 8, 0, 14, 1) + entry + bytes(4)
    assert facts(saved("JPEG", exif=exif))["thumbnail"]


def test_a_png_that_was_a_jpeg_shows_its_grid():
    earlier = Image.open(BytesIO(saved("JPEG", COFFEE, quality=75))).convert("RGB").crop((3, 6, 600, 400))
    grid = facts(saved("PNG", earlier))["grid"]
    assert (grid["x"], grid["y"]) == (5, 2)


def test_a_png_that_never_was_one_shows_none():
    assert facts(saved("PNG", COFFEE))["grid"] is None


def test_sentences_say_once_that_facts_are_no_verdict():
    sentences = facts(FILES["signed JPEG"])["sentences"]
    assert sentences[-1] == CAUTION
    assert sentences.count(CAUTION) == 1
    assert any("signature was not checked" in sentence for sentence in sentences)
    assert facts(b"nothing")["sentences"] == []


def test_no_sentence_calls_an_image_real_or_fake():
    words = " ".join(sentence for content in FILES.values() for sentence in facts(content)["sentences"]).lower()
    assert not any(word in words for word in ("fake", "real ", "authentic", "genuine"))


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"nonsense", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\xff\xd8\xff"]
)
def test_what_is_no_image_is_told_as_such(content):
    found = facts(content)
    assert found["format"] is None
    assert found["error"]
    json.dumps(found)


def test_metadata_of_a_truncated_photo_are_read_still():
    found = facts(PHOTO[: len(PHOTO) // 2])
    assert found["camera"]["make"] == "Canon"
    assert found["jpeg"]["quality"] == 85
    assert found["error"]


def test_a_very_large_image_is_described_and_not_decoded():
    header = b"IHDR" + (9000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0"
    content = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
    content += b"\0\0\0\0IDAT" + zlib.crc32(b"IDAT").to_bytes(4, "big")
    found = facts(content)
    assert found["width"] == 9000
    assert "not searched for traces" in found["error"]


def test_a_giant_text_chunk_takes_no_long_time():
    content = png_with(parameters="Steps: " * 1_000_000)
    began = time.monotonic()
    assert facts(content)["generator"] == []
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("junk", [b"\xff" * 4_000_000, b"\xff\xfe\0\2" * 1_000_000])
def test_a_head_without_end_takes_no_long_time(junk):
    began = time.monotonic()
    assert "segments" in facts(PHOTO[:2] + junk + PHOTO[2:])["error"]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("kind", FILES)
def test_facts_of_every_kind_are_ready_for_json(kind):
    found = facts(FILES[kind])
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert set(found) == set(facts(b""))


@given(st.sampled_from(sorted(FILES)), st.integers(0, 10**6), st.binary(max_size=16), st.booleans())
@settings(max_examples=120, deadline=5000)
def test_broken_files_give_facts_and_never_an_error(kind, place, noise, cut_off):
    content = FILES[kind]
    place %= len(content)
    broken = content[:place] + noise + (b"" if cut_off else content[place + len(noise) :])
    json.dumps(facts(broken), allow_nan=False)


@given(
    st.binary(max_size=300),
    st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x18ftypavif", b"II*\0"]),
)
@settings(max_examples=60, deadline=5000)
def test_any_bytes_after_the_head_of_an_image_give_facts(noise, head):
    json.dumps(facts(head + noise), allow_nan=False)
