"""Names of protocols, and what they do to images."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dda.core import changes, protocols
from dda.core.labels import FAKE, REAL
from dda.embedded.photos import PHOTOGRAPHS, originals

PHOTO = np.asarray(originals(next(one for one in PHOTOGRAPHS if one.name == "chelsea"))[0])
EVERY = [*protocols.NAMED, *protocols.ROBUSTNESS, "jpeg-96", "blur-0.25"]


def after(name, pixels=PHOTO, image="a", seed=0, label=FAKE):
    return changes.apply(protocols.parse(name).steps_for(label), pixels, image, seed)


def saved(pixels, kind, quality):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind, quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


@pytest.mark.parametrize("name", EVERY)
def test_every_protocol_gives_the_same_pixels_for_the_same_image_and_seed(name):
    first = after(name)
    assert first.dtype == np.uint8
    assert first.ndim == 3
    assert np.array_equal(first, after(name))


@pytest.mark.parametrize("name", ["noise-5", "crop-0.5", "screenshot", "social-2048"])
def test_what_is_drawn_depends_on_the_image_and_on_the_seed(name):
    first = after(name)
    assert not np.array_equal(first, after(name, seed=1))
    assert not np.array_equal(first, after(name, image="b"))


def test_native_changes_nothing():
    assert np.array_equal(after("native"), PHOTO)


def test_quality_96_is_what_pillow_writes_by_default():
    assert np.array_equal(after("all-q96"), saved(PHOTO, "JPEG", 96))
    assert np.array_equal(after("webp-70"), saved(PHOTO, "WEBP", 70))


def test_only_fakes_are_saved_again_where_the_protocol_says_so():
    assert np.array_equal(after("fakes-q96", label=REAL), PHOTO)
    assert np.array_equal(after("fakes-q96"), saved(PHOTO, "JPEG", 96))
    assert np.array_equal(after("all-q96", label=REAL), saved(PHOTO, "JPEG", 96))


def test_sizes_are_those_that_names_say():
    height, width = PHOTO.shape[:2]
    assert after("resize-0.25").shape[:2] == (round(height / 4), round(width / 4))
    assert after("resize-2").shape[:2] == (2 * height, 2 * width)
    assert after("crop-0.5").shape[:2] == (round(height / 2), round(width / 2))
    assert max(after("social-1080", np.tile(PHOTO, (4, 4, 1))).shape) == 1080
    assert after("social-1080").shape == PHOTO.shape


def test_a_part_of_an_image_is_somewhere_in_it():
    part = after("crop-0.75")
    rows, columns = (whole - cut + 1 for whole, cut in zip(PHOTO.shape[:2], part.shape[:2], strict=True))
    places = [(y, x) for y in range(rows) for x in range(columns) if np.array_equal(PHOTO[y, x], part[0, 0])]
    assert any(np.array_equal(PHOTO[y : y + part.shape[0], x : x + part.shape[1]], part) for y, x in places)


def test_noise_has_the_spread_that_its_name_says():
    grey = np.full((200, 200, 3), 128, np.uint8)
    difference = after("noise-5", grey).astype(float) - 128
    assert difference.std() == pytest.approx(5, rel=0.02)
    assert abs(difference.mean()) < 0.1


def test_a_blur_of_a_step_is_the_normal_distribution():
    step = np.zeros((9, 60, 3), np.uint8)
    step[:, 30:] = 255
    blurred = after("blur-2", step)[4, :, 0] / 255
    assert blurred[32] == pytest.approx(0.894, abs=0.01)  # 2.5 pixels from the edge: 1.25 sigma


@pytest.mark.parametrize("name", ["jpg-50", "jpeg-20", "jpeg-50.5", "resize-3", "blur-", "noise-1e2", "crop-0", ""])
def test_an_unknown_protocol_is_refused_with_all_that_there_are(name):
    with pytest.raises(ValueError, match=rf"no protocol '{name}': there are native, .*resize-N with N from 0.25 to 2"):
        protocols.parse(name)


def test_a_result_that_is_too_large_is_refused():
    huge = np.zeros((9_000, 12_000, 3), np.uint8)
    with pytest.raises(ValueError, match="would be 24000x18000 pixels, more than 400000000"):
        changes.apply((("resize", (2.0,)),), huge, "a", 0)
