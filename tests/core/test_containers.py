"""Parts of files by their names, from bytes that nobody vouches for."""

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dda.core.containers import MAX_PARTS, MAX_TEXT_BYTES, line, parts, png_text
from tests import marked

SIGNED = {
    "JPEG": marked.signed_jpeg(marked.credentials()),
    "PNG": marked.signed_png(marked.credentials()),
    "WebP": marked.signed_webp(marked.credentials()),
    "AVIF": marked.signed_avif(marked.credentials()),
}


def names(content):
    return [name for name, _ in parts(content)]


@pytest.mark.parametrize(("kind", "name"), [("JPEG", "APP11"), ("PNG", "caBX"), ("WebP", "C2PA"), ("AVIF", "uuid")])
def test_parts_bear_the_names_of_their_format(kind, name):
    assert name in names(SIGNED[kind])


def test_pixels_are_no_part():
    assert "IDAT" not in names(SIGNED["PNG"])
    assert "mdat" not in names(SIGNED["AVIF"])
    assert names(SIGNED["JPEG"])[-1] != "DA"


def test_a_file_of_another_kind_has_no_parts():
    assert names(b"GIF89a" + bytes(100)) == names(b"") == []


def test_a_file_of_very_many_parts_is_not_walked_to_its_end():
    chunk = struct.pack(">I4sI", 0, b"teST", 0)
    assert len(names(b"\x89PNG\r\n\x1a\n" + chunk * (MAX_PARTS + 5))) == MAX_PARTS


def test_boxes_that_nest_without_end_are_left():
    deep = b""
    for _ in range(200):
        deep = marked.box(b"jumb", deep)
    assert len(names(marked.box(b"ftyp", b"avif") + deep)) < 20


@pytest.mark.parametrize("size", [0, 1, 2, 7])
def test_a_box_smaller_than_its_head_ends_the_walk(size):
    assert len(names(marked.box(b"ftyp", b"avif") + struct.pack(">I4s", size, b"free") * 3)) <= 2


@given(st.sampled_from(sorted(SIGNED)), st.integers(0, 3000), st.binary(min_size=1, max_size=12))
@settings(max_examples=150, deadline=None)
def test_broken_files_end_the_walk_and_nothing_else(kind, place, noise):
    content = SIGNED[kind]
    place %= len(content)
    broken = content[:place] + noise + content[place + len(noise) :]
    assert all(isinstance(payload, bytes) and len(payload) <= len(broken) for _, payload in parts(broken))


def test_text_of_every_kind_of_chunk_is_read():
    packed = zlib.compress(b"a text")
    assert png_text("tEXt", b"key\0a text") == ("key", "a text")
    assert png_text("zTXt", b"key\0\0" + packed) == ("key", "a text")
    assert png_text("iTXt", b"key\0\0\0en\0Schluessel\0a text") == ("key", "a text")
    assert png_text("iTXt", b"key\0\1\0en\0Schluessel\0" + packed) == ("key", "a text")
    assert png_text("gAMA", b"key\0a text") is None


def test_a_bomb_of_text_is_unpacked_no_further_than_the_limit():
    bomb = zlib.compress(bytes(50 * MAX_TEXT_BYTES))
    assert len(png_text("zTXt", b"key\0\0" + bomb)[1]) == MAX_TEXT_BYTES


def test_a_line_is_short_and_holds_nothing_that_steers_a_terminal():
    assert line("Canon\x1b[31m\nEOS\u202e  5D\0") == "Canon [31m EOS 5D"
    assert len(line("x" * 1000)) == 200
    assert line(b"\xff\xfe plain") == "\ufffd\ufffd plain"
    assert line(b"\0\0") is line(None) is line(7) is None
