"""The embedded photographs: enough of them, compressed as COCO's are, the same on every run."""

import subprocess
import sys
from collections import Counter
from hashlib import sha256
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dda.core.jpeg import jpeg_facts
from dda.embedded.photos import PHOTOGRAPHS, assign_qualities, originals, tile_boxes, tiles

DIGEST = "sha256(b''.join(name.encode() + content for name, content in tiles())).hexdigest()"


@pytest.fixture(scope="module")
def all_tiles():
    return dict(tiles())


@pytest.fixture(scope="module")
def all_facts(all_tiles):
    return [jpeg_facts(Image.open(BytesIO(content))) for content in all_tiles.values()]


def test_there_are_a_hundred_tiles_of_ten_scenes(all_tiles):
    scenes = {name.rpartition("-tile")[0] for name in all_tiles}
    assert len(all_tiles) >= 100
    assert len(scenes) >= 10
    assert scenes == {photograph.name for photograph in PHOTOGRAPHS}


def test_no_two_tiles_are_alike(all_tiles):
    assert len({sha256(content).digest() for content in all_tiles.values()}) == len(all_tiles)


def test_their_qualities_are_exactly_cocos(all_facts):
    assert Counter(facts.quality for facts in all_facts) == {96: 74, 90: 30, 80: 1}


def test_all_have_the_subsampling_of_coco_and_are_baseline(all_facts):
    assert {(facts.subsampling, facts.progressive) for facts in all_facts} == {("4:2:0", False)}


def test_their_sides_are_like_those_of_photos(all_tiles):
    sides = [side for content in all_tiles.values() for side in Image.open(BytesIO(content)).size]
    assert min(sides) >= 128
    assert max(sides) <= 640


def test_all_are_in_colour(all_tiles):
    pictures = [Image.open(BytesIO(content)) for content in all_tiles.values()]
    assert {picture.mode for picture in pictures} == {"RGB"}
    assert {picture.format for picture in pictures} == {"JPEG"}


def test_a_second_process_makes_the_same_bytes():
    code = f"from hashlib import sha256; from dda.embedded.photos import tiles; print({DIGEST})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = sha256(b"".join(name.encode() + content for name, content in tiles())).hexdigest()
    assert done.stdout.strip() == here


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 5), st.integers(1, 5))
def test_tiles_cover_every_pixel_once(width, height, columns, rows):
    covered = Counter(
        (x, y)
        for left, upper, right, lower in tile_boxes(width, height, columns, rows)
        for x in range(left, right)
        for y in range(upper, lower)
    )
    assert len(covered) == width * height
    assert set(covered.values()) == {1}


def test_the_tiles_of_a_scene_are_cut_out_of_its_picture(all_tiles):
    photograph = next(one for one in PHOTOGRAPHS if one.name == "coffee")
    (picture,) = originals(photograph)
    boxes = tile_boxes(*picture.size, photograph.columns, photograph.rows)
    sizes = [Image.open(BytesIO(all_tiles[f"coffee-tile{number:02d}.jpg"])).size for number in range(len(boxes))]
    assert sizes == [(right - left, lower - upper) for left, upper, right, lower in boxes]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 300))
def test_qualities_have_their_shares_for_any_number_of_names(n_names):
    counts = Counter(assign_qualities([f"photo-{number}" for number in range(n_names)]).values())
    assert sum(counts.values()) == n_names
    assert counts[96] == pytest.approx(0.70 * n_names, abs=1)
    assert counts[90] == pytest.approx(0.29 * n_names, abs=1)
    assert counts[80] == pytest.approx(0.01 * n_names, abs=1)


def test_a_name_has_its_quality_whatever_the_order_of_the_names():
    names = [f"photo-{number}" for number in range(50)]
    assert assign_qualities(names) == assign_qualities(names[::-1])


def test_every_photograph_names_where_it_is_from():
    assert all(photograph.origin for photograph in PHOTOGRAPHS)
    assert all(picture.mode == "RGB" for photograph in PHOTOGRAPHS for picture in originals(photograph))
