"""A picture under what a detector said of its windows."""

import math
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dda.core.verdicts import Limits, Prediction, Window, probability
from dda.core.windows import regions_of
from dda.io.overlays import overlay, reduced, scores
from dda.io.pictures import Picture, opened
from tests.marked import COFFEE, saved

SIZE_PX = 128


def predicted(width, height, logits=None, views="tiles", **facts):
    regions = regions_of(height, width, SIZE_PX, views)
    windows = tuple(
        Window(region, logit) for region, logit in zip(regions, logits or [0.5] * len(regions), strict=True)
    )
    told = {"width": width, "height": height, "windows": windows, **facts}
    return Prediction("uncertain", 0.5, 0.5, Limits(0.0, -1.0, 1.0), True, views, **told)


def drawn(*given, **options):
    return Image.open(BytesIO(overlay(*given, **options)))


def colour_of(pixels):
    """How much redder than blue pixels are, on average."""
    return float(pixels[..., 0].mean() - pixels[..., 2].mean())


def test_an_overlay_is_a_png_of_the_pictures_size():
    found = drawn(opened(COFFEE), predicted(*COFFEE.size))
    assert (found.format, found.mode, found.size) == ("PNG", "RGB", COFFEE.size)


def test_windows_called_generated_are_orange_and_real_ones_blue():
    logits = [
        -4.0 if region.left < COFFEE.width / 2 - SIZE_PX / 2 else 4.0
        for region in regions_of(400, 600, SIZE_PX, "tiles")
    ]
    pixels = np.asarray(drawn(opened(COFFEE), predicted(600, 400, logits)), np.float32)
    assert colour_of(pixels[:, :150]) < -50
    assert colour_of(pixels[:, 450:]) > 50


@pytest.mark.parametrize(("threshold", "warm"), [(0.0, True), (6.0, False)])
def test_colours_are_about_the_threshold_in_use(threshold, warm):
    prediction = replace(predicted(600, 400, [3.0] * 20), limits=Limits(threshold, -1.0, threshold))
    assert (colour_of(np.asarray(drawn(opened(COFFEE), prediction), np.float32)) > 0) == warm


def test_a_temperature_spreads_the_colours():
    strong, weak = (
        colour_of(np.asarray(drawn(opened(COFFEE), predicted(600, 400, [1.0] * 20, temperature=one)), np.float32))
        for one in (0.5, 4.0)
    )
    assert strong > 4 * weak > 0


def test_a_single_window_gives_one_tint_and_the_rest_is_hatched():
    pixels = np.asarray(drawn(opened(COFFEE), predicted(600, 400, [4.0], views="centre")), np.float32)
    assert colour_of(pixels[140:260, 240:360]) > 50
    assert colour_of(pixels[:100, :200]) == 0


def test_the_file_says_what_its_colours_mean():
    assert drawn(opened(COFFEE), predicted(600, 400)).info["Description"].startswith("Scores of 20 windows")
    words = drawn(opened(COFFEE), predicted(600, 400, [1.0], views="centre")).info["Description"]
    assert words.startswith("Scores of one window")


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((3000, 40), (300, 4)), ((40, 3000), (4, 300)), ((500, 701), (214, 300)), ((1, 5000), (1, 300))],
)
def test_a_large_picture_is_shown_no_larger_than_asked(shape, shown):
    height, width = shape
    picture = Picture(Image.new("RGB", (width, height)))
    assert drawn(picture, predicted(width, height), max_side_px=300).size == (shown[1], shown[0])


def test_a_small_picture_is_never_enlarged():
    assert drawn(Picture(Image.new("RGB", (9, 5))), predicted(9, 5)).size == (9, 5)


def test_strips_of_a_large_picture_meet_without_a_seam(monkeypatch):
    large = COFFEE.resize((1800, 1200))
    whole = np.asarray(reduced(Picture(large), 500))
    monkeypatch.setattr("dda.io.overlays.STRIP_PIXELS", 10_000)
    assert (np.asarray(reduced(Picture(large.convert("RGBA")), 500)) == whole).all()
    plain = np.asarray(large.resize(whole.shape[1::-1], Image.Resampling.BOX), np.float32)
    assert np.abs(whole - plain).mean() < 3


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "I;16"])
def test_pictures_of_any_mode_are_shown(mode):
    image = COFFEE.convert("L").convert("I").convert("I;16") if mode == "I;16" else COFFEE.convert(mode)
    assert drawn(Picture(image), predicted(600, 400), max_side_px=100).size == (100, 67)


def test_an_image_that_lies_on_its_side_is_shown_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = opened(saved("JPEG", COFFEE, exif=exif))
    assert drawn(picture, predicted(400, 600)).size == (400, 600)


def test_a_prediction_of_another_image_is_refused():
    with pytest.raises(ValueError, match="its prediction is of an image of 640x480"):
        overlay(opened(COFFEE), predicted(640, 480))


def test_an_unreadable_image_has_no_heatmap():
    unreadable = Prediction("unreadable", None, None, Limits(0, -1, 1), True, "tiles", error="damaged")
    with pytest.raises(ValueError, match="damaged"):
        overlay(opened(COFFEE), unreadable)
    assert scores(unreadable) == []


def test_scores_are_those_of_the_windows_in_their_order():
    found = scores(predicted(600, 400, [float(n) for n in range(20)], temperature=2.0))
    assert [one["logit"] for one in found] == list(range(20))
    assert found[0] == {"top": 0, "left": 0, "height": 128, "width": 128, "logit": 0.0, "probability": 0.5}
    assert math.isclose(found[3]["probability"], probability(3.0, 2.0))
