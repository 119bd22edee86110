"""The grid that a JPEG compression leaves in pixels: found where it lies, and nowhere else."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dda.core.grids import FOUND, grid_and_earlier, grid_phase, small_shares
from dda.embedded.photos import PHOTOGRAPHS, originals

PHOTOS = Path(__file__).parents[2] / "../shared/data/photos"
SCENES = ("coffee", "astronaut")
LOSSLESS = {one.name: originals(one)[0].convert("RGB") for one in PHOTOGRAPHS if one.name in SCENES}


def compressed(picture, quality):
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def grey(picture):
    return np.asarray(picture.convert("L"))


def cut(picture, x, y):
    return picture.crop((x, y, *picture.size))


def place(phase):
    return None if phase is None else (phase.x, phase.y)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("quality", [50, 75, 90, 96, 98])
def test_the_grid_of_a_compressed_photo_begins_in_its_corner(scene, quality):
    assert place(grid_phase(grey(compressed(LOSSLESS[scene], quality)))) == (0, 0)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (1, 0), (0, 1), (3, 5), (7, 7), (8, 16)])
@pytest.mark.parametrize("quality", [60, 95])
def test_what_is_cut_off_moves_the_grid(x, y, quality):
    phase = grid_phase(grey(cut(compressed(LOSSLESS["coffee"], quality), x, y)))
    assert place(phase) == (-x % 8, -y % 8)


def test_an_earlier_and_coarser_compression_shows_beside_the_files_own():
    earlier = cut(compressed(LOSSLESS["coffee"], 75), 3, 6)
    assert place(grid_and_earlier(grey(compressed(earlier, 97)))[1]) == (5, 2)


@pytest.mark.parametrize("quality", [50, 75, 90, 96])
def test_a_photo_that_was_compressed_once_has_no_earlier_grid(quality):
    assert grid_and_earlier(grey(compressed(LOSSLESS["astronaut"], quality)))[1] is None


@pytest.mark.parametrize("scene", SCENES)
def test_a_photo_that_was_never_compressed_has_no_grid(scene):
    assert grid_phase(grey(LOSSLESS[scene])) is None


@pytest.mark.parametrize("scale", [0.35, 0.5, 0.9, 1.5, 2.0])
def test_resizing_removes_the_grid(scale):
    picture = compressed(LOSSLESS["coffee"], 85)
    size = [round(side * scale) for side in picture.size]
    assert grid_phase(grey(picture.resize(size, Image.Resampling.BICUBIC))) is None


def test_pixels_that_were_doubled_are_no_grid():
    """Four phases of four lie equally well on doubled pixels, so none of them leads."""
    small = LOSSLESS["coffee"].resize((300, 200))
    assert grid_phase(grey(small.resize((600, 400), Image.Resampling.NEAREST))) is None


def test_noise_gradients_and_one_colour_have_no_grid():
    noise = np.random.default_rng(0).integers(0, 256, (200, 300), np.uint8)
    gradient = np.tile(np.arange(256, dtype=np.uint8), (200, 1))
    assert [grid_phase(pixels) for pixels in (noise, gradient, np.full((200, 300), 77, np.uint8))] == [None] * 3


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (7, 900), (15, 900), (39, 39)])
def test_an_image_of_too_few_blocks_has_no_grid(shape):
    assert grid_phase(np.zeros(shape, np.uint8)) is None


@pytest.mark.parametrize("shape", [(16, 300), (300, 16), (17, 149), (41, 47)])
def test_any_other_shape_is_looked_at(shape):
    shares = small_shares(grey(LOSSLESS["coffee"])[: shape[0], : shape[1]])
    assert shares.shape == (8, 8)
    assert ((shares >= 0) & (shares <= 1)).all()


def test_the_shares_count_small_coefficients_without_the_means():
    assert (small_shares(np.zeros((40, 48), np.uint8)) == 1).all()
    assert (small_shares(np.full((40, 48), 200, np.uint8)) == 1).all()
    columns = np.tile(np.array([0, 100], np.uint8), (40, 24))
    assert small_shares(columns) == pytest.approx(1 - 4 / 63)  # the sum's four odd frequencies across


def test_a_large_photo_is_not_looked_at_everywhere():
    picture = compressed(LOSSLESS["coffee"].resize((1800, 1200)), 90)
    phase = grid_phase(grey(cut(picture, 2, 3)))
    assert place(phase) == (6, 5)
    assert phase.strength > FOUND


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="../shared/data/photos is absent")
def test_photos_of_coco_show_their_grid_until_they_are_resized():
    files = sorted(PHOTOS.glob("*/*.jpg"))[::29]
    pictures = [cut(Image.open(path).convert("RGB"), 2, 7) for path in files]
    assert {place(grid_phase(grey(picture))) for picture in pictures} == {(6, 1)}
    assert {place(grid_phase(grey(picture.reduce(2)))) for picture in pictures} == {None}
