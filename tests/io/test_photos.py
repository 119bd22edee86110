"""Image files of others: what is found, what is used, and the reason why anything else is not."""

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dda.embedded.photos import PHOTOGRAPHS, originals
from dda.io import photos
from dda.io.photos import PhotoRejected, decode, decode_any, open_any

PHOTOGRAPH = next(one for one in PHOTOGRAPHS if one.name == "coffee")
PICTURE = originals(PHOTOGRAPH)[0].crop((100, 100, 175, 164))
PIXELS = np.asarray(PICTURE)
MANY = 80_000_000


def stored(picture, kind, **options):
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(values, colour_type, extra=b"", size=None):
    """A PNG of big-endian or 8-bit values, made by hand: Pillow writes no 16-bit colour."""
    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", *(size or (width, height)), 8 * values.dtype.itemsize, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    chunks = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def deep(pixels):
    """16-bit values that are exactly these 8-bit levels."""
    return (pixels.astype(np.uint16) * 257).astype(">u2")


def reason(content, max_pixels=MANY, min_side_px=1):
    with pytest.raises(PhotoRejected) as rejection:
        decode(content, max_pixels, min_side_px)
    return str(rejection.value)


def pixels_or_reason(reader, content):
    try:
        found = reader(content, 1_000_000)
    except PhotoRejected as rejection:
        return str(rejection)
    return getattr(found, "pixels", found)


def why_not_read(path):
    with pytest.raises(PhotoRejected) as rejection:
        photos.read_bytes(path)
    return str(rejection.value)


@pytest.fixture
def odd_folder(tmp_path):
    """A folder with everything that is no plain file, and one that is."""
    (tmp_path / "target" / "inner").mkdir(parents=True)
    (tmp_path / "target" / "inner" / "photo.jpg").write_bytes(b"photo")
    for name, target in (("dangling", "nowhere"), ("loop", "loop"), ("folder", "target"), ("link.jpg", "target/a.jpg")):
        (tmp_path / name).symlink_to(target)
    (tmp_path / "target" / "a.jpg").write_bytes(b"linked")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty.jpg").touch()
    return tmp_path


def test_a_colour_jpeg_is_decoded_with_its_facts():
    content = stored(PICTURE, "JPEG", quality=90, subsampling="4:2:2")
    photo = decode(content, MANY)
    assert np.array_equal(photo.pixels, np.asarray(Image.open(BytesIO(content))))
    assert (photo.format, photo.converted) == ("JPEG", None)
    assert photo.jpeg
    assert (photo.jpeg.quality, photo.jpeg.subsampling) == (90, "4:2:2")


def test_a_greyscale_jpeg_stays_greyscale():
    photo = decode(stored(PICTURE.convert("L"), "JPEG"), MANY)
    assert photo.pixels.shape == (64, 75)
    assert photo.jpeg
    assert photo.jpeg.subsampling == "4:0:0"


def test_a_jpeg_turned_by_exif_keeps_its_stored_grid():
    turned = Image.Exif()
    turned[0x0112] = 6
    plain, content = stored(PICTURE, "JPEG"), stored(PICTURE, "JPEG", exif=turned)
    assert Image.open(BytesIO(content)).getexif()[0x0112] == 6
    assert np.array_equal(decode(content, MANY).pixels, decode(plain, MANY).pixels)
    assert np.array_equal(decode_any(content, MANY), decode_any(plain, MANY))


def test_the_first_picture_of_a_jpeg_with_several_is_the_photo():
    content = stored(PICTURE, "MPO", save_all=True, append_images=[PICTURE.rotate(180)])
    photo = decode(content, MANY)
    assert photo.format == "MPO"
    assert photo.jpeg
    assert np.array_equal(photo.pixels, decode(stored(PICTURE, "JPEG"), MANY).pixels)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("BMP", {}), ("PPM", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_lossless_file_gives_exactly_its_pixels(kind, options, mode):
    photo = decode(stored(PICTURE.convert(mode), kind, **options), MANY)
    assert np.array_equal(photo.pixels, np.asarray(PICTURE.convert(mode)))
    assert (photo.format, photo.jpeg, photo.converted) == (kind, None, None)


def test_16_bit_colour_becomes_8_bit_and_says_so():
    photo = decode(png(deep(PIXELS), 2), MANY)
    assert np.array_equal(photo.pixels, PIXELS)
    assert photo.converted == "16 to 8 bits"


def test_16_bit_grey_becomes_8_bit_and_says_so():
    grey = PIXELS[:, :, 1]
    content = png(deep(grey), 0)
    assert np.array_equal(decode(content, MANY).pixels, grey)
    assert decode(content, MANY).converted == "16 to 8 bits"
    assert np.array_equal(decode_any(content, MANY), np.repeat(grey[:, :, None], 3, axis=2))


def test_16_bit_grey_is_rounded_to_the_nearest_level():
    values = np.array([[0, 128, 129, 385, 386, 65535]], ">u2")
    assert decode(png(values, 0), MANY).pixels.tolist() == [[0, 0, 1, 1, 2, 255]]


def test_transparency_is_put_on_white_and_says_so():
    picture = PICTURE.convert("RGBA")
    picture.putalpha(Image.new("L", picture.size, 0))
    photo = decode(stored(picture, "PNG"), MANY)
    assert photo.converted == "transparency on white"
    assert photo.pixels.shape == PIXELS.shape
    assert (photo.pixels == 255).all()


def test_an_opaque_transparent_file_keeps_its_colours():
    photo = decode(stored(PICTURE.convert("RGBA"), "PNG"), MANY)
    assert np.array_equal(photo.pixels, PIXELS)
    assert np.array_equal(decode_any(stored(PICTURE.convert("RGBA"), "PNG"), MANY), PIXELS)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (stored(PICTURE.convert("CMYK"), "JPEG"), "CMYK JPEG"),
        (stored(PICTURE.convert("P"), "PNG"), "palette"),
        (stored(PICTURE.convert("1"), "PNG"), "palette"),
        (stored(PICTURE, "WEBP"), "WEBP: a fake cannot be given its compression"),
        (stored(PICTURE, "GIF", save_all=True, append_images=[PICTURE.rotate(180)]), "GIF"),
        (stored(PICTURE, "PNG", save_all=True, append_images=[PICTURE.rotate(180)]), "animation.*: 2 frames"),
        (stored(PICTURE, "TIFF", save_all=True, append_images=[PICTURE.rotate(180)]), "several pages: 2 frames"),
        (stored(PICTURE, "TIFF", compression="jpeg"), "TIFF with jpeg compression"),
        (stored(PICTURE.convert("F"), "TIFF"), "pixels of kind F are not supported"),
        (stored(PICTURE, "ICO"), "no image in a known format"),
        (b"not an image", "no image in a known format"),
        (b"", "no image in a known format"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_fake_cannot_match_is_rejected_with_its_reason(content, why):
    with pytest.raises(PhotoRejected, match=why):
        decode(content, MANY)


def test_a_jpeg_with_a_subsampling_that_cannot_be_written_is_rejected():
    content = bytearray(stored(PICTURE, "JPEG", subsampling="4:2:2"))
    content[content.index(b"\xff\xc0") + 11] = 0x12
    assert reason(bytes(content)) == "JPEG with subsampling 1x2,1x1,1x1: a fake cannot be given it"
    assert decode_any(bytes(content), MANY).shape == PIXELS.shape


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("BMP", {})])
def test_a_truncated_file_is_damaged(kind, options):
    content = stored(PICTURE, kind, **options)
    half = content[: len(content) // 2]
    assert reason(half).startswith("damaged: ")
    with pytest.raises(PhotoRejected, match="damaged: "):
        decode_any(half, MANY)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "TIFF", "GIF", "WEBP"]), st.data())
def test_whatever_is_broken_it_is_pixels_or_a_reason_but_no_other_error(kind, data):
    content = bytearray(stored(PICTURE, kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    for reader in (decode, decode_any):
        outcome = pixels_or_reason(reader, bytes(content))
        assert outcome.dtype == np.uint8 if isinstance(outcome, np.ndarray) else outcome


def test_a_file_of_too_many_pixels_is_rejected_before_they_are_decoded():
    assert reason(stored(PICTURE, "PNG"), 75 * 64 - 1) == "more than 4799 pixels: 75x64"
    assert decode(stored(PICTURE, "PNG"), 75 * 64).pixels.shape == (64, 75, 3)


@pytest.mark.parametrize("side_px", [10_000, 60_000])
def test_a_bomb_is_rejected_by_its_header(side_px):
    assert reason(png(PIXELS, 2, size=(side_px, side_px))).startswith("more than 80000000 pixels")


def test_a_file_with_a_side_that_is_too_short_is_rejected():
    assert reason(stored(PICTURE, "PNG"), min_side_px=65) == "a side below 65 px: 75x64"
    assert decode(stored(PICTURE, "PNG"), MANY, 64).pixels.shape == (64, 75, 3)


@pytest.mark.parametrize("mode", ["CMYK", "P", "L", "LA", "1", "RGBA"])
def test_a_detector_sees_rgb_whatever_the_file(mode):
    kind = "JPEG" if mode == "CMYK" else "PNG"
    picture = Image.fromarray(np.full((20, 30, 3), 255, np.uint8)).convert(mode)
    seen = decode_any(stored(picture, kind), MANY)
    assert seen.shape == (20, 30, 3)
    assert seen.dtype == np.uint8
    assert (seen >= 253).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_a_detector_sees_the_first_frame_of_an_animation(kind):
    first, second = Image.new("RGB", (32, 32), (200, 200, 200)), Image.new("RGB", (32, 32), (20, 20, 20))
    seen = decode_any(stored(first, kind, save_all=True, append_images=[second]), MANY)
    assert seen.shape == (32, 32, 3)
    assert np.abs(seen.astype(int) - 200).max() <= 3


def test_a_detector_sees_a_transparent_palette_on_white():
    picture = Image.new("P", (20, 20), 0)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    picture.putpixel((3, 4), 1)
    seen = decode_any(stored(picture, "PNG", transparency=0), MANY)
    assert seen[4, 3].tolist() == [10, 20, 30]
    assert (seen[0] == 255).all()


@pytest.mark.parametrize(("colour_type", "colour"), [(2, b"\0\0" * 3), (0, b"\0\0")], ids=["colour", "grey"])
def test_a_detector_sees_one_transparent_colour_on_white(colour_type, colour):
    values = np.zeros((8, 8, 3), np.uint8)[..., : 3 if colour_type == 2 else 1]
    values[0] = 77
    seen = decode_any(png(values, colour_type, extra=chunk(b"tRNS", colour)), MANY)
    assert (seen[0] == 77).all()
    assert (seen[1:] == 255).all()


def test_everything_below_a_folder_is_found_in_order_and_no_link_is_followed(odd_folder):
    found = [str(path.relative_to(odd_folder)) for path in photos.find(odd_folder)]
    here = ["dangling", "empty.jpg", "folder", "link.jpg", "loop", "pipe"]
    assert found == [*here, "target/a.jpg", "target/inner/photo.jpg"]


def test_an_empty_folder_holds_nothing(tmp_path):
    assert list(photos.find(tmp_path)) == []


def test_a_file_and_a_link_to_a_file_are_read(odd_folder):
    assert photos.read_bytes(odd_folder / "target" / "a.jpg") == b"linked"
    assert photos.read_bytes(odd_folder / "link.jpg") == b"linked"
    assert photos.read_bytes(odd_folder / "empty.jpg", may_be_empty=True) == b""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("dangling", "cannot be read: link that leads nowhere"),
        ("loop", "cannot be read: link that leads nowhere"),
        ("folder", "link to a folder, not followed"),
        ("pipe", "neither a file nor a folder"),
        ("empty.jpg", "empty file"),
        ("missing.jpg", "cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_read_is_rejected_with_its_reason(odd_folder, name, why):
    assert why_not_read(odd_folder / name) == why


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that even root cannot read")
def test_a_file_that_answers_with_an_error_is_rejected(tmp_path):
    (tmp_path / "photo.jpg").symlink_to("/proc/self/mem")
    assert why_not_read(tmp_path / "photo.jpg") == "cannot be read: Input/output error"


def test_a_link_to_a_name_that_no_file_system_takes_is_rejected(tmp_path):
    (tmp_path / "photo.jpg").symlink_to("a" * 300)
    assert why_not_read(tmp_path / "photo.jpg").startswith("cannot be read: ")


def test_a_name_that_is_not_utf_8_is_rejected():
    photos.check_name("Größe/写真.jpg")
    with pytest.raises(PhotoRejected, match="name is not UTF-8"):
        photos.check_name(os.fsdecode(b"caf\xe9.jpg"))


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[:, :, 0]], ids=["colour", "grey"])
def test_png_bytes_give_the_same_pixels_back(pixels):
    photo = decode(photos.encode_png(pixels), MANY)
    assert np.array_equal(photo.pixels, pixels)
    assert photo.format == "PNG"


def test_grey_and_colour_pixels_both_become_rgb():
    grey = PIXELS[:, :, 0]
    assert photos.as_rgb(PIXELS) is PIXELS
    assert np.array_equal(photos.as_rgb(grey), np.asarray(Image.fromarray(grey).convert("RGB")))


def test_the_digest_is_the_sha256_of_the_bytes():
    assert photos.sha256(b"abc").startswith("ba7816bf8f01cfea414140de5dae2223")


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_an_opened_picture_is_rgb_whole_and_outlives_its_file(mode):
    content = stored(PICTURE.convert(mode), "PNG")
    opened = open_any(content, MANY)
    assert opened.mode == "RGB"
    assert np.array_equal(opened.resize(opened.size), decode_any(content, MANY))
