"""Whatever file somebody names is judged or told, by a reason in words; nothing crashes, nothing hangs."""

import re
import time

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from dda import Detector
from dda.io import unknown_files
from tests import small_detector, zoo

DEADLINE_S = 10.0  # this machine may be busy; an image of these takes milliseconds
SEEDS = zoo.seeds()
ADDRESS = re.compile(r"/(?:usr|home|tmp|work|root|opt)\b|0x[0-9a-f]{6}|\n")


@pytest.fixture(scope="module")
def detector(tmp_path_factory, one_thread):
    return Detector.load(small_detector.write(tmp_path_factory.mktemp("small") / "detector"), "cpu")


def answer(detector, content, views="tiles"):
    began = time.monotonic()
    (found,) = detector.stream([content], views)
    assert time.monotonic() - began < DEADLINE_S
    assert (found.error is None) == (found.logit is not None) == (found.verdict != "unreadable")
    assert not ADDRESS.search(found.error or "")
    return found


@pytest.mark.parametrize("name", zoo.FINE)
def test_an_odd_image_is_judged(name, detector):
    found = answer(detector, zoo.FINE[name])
    assert found.error is None
    sizes = {"one pixel": (1, 1), "a line": (1, 65000), "a wide line": (65000, 1), "turned": zoo.SIZE[::-1]}
    assert (found.width, found.height) == sizes.get(name, zoo.SIZE)
    assert found.seen == (1.0 if max(found.width, found.height) <= 512 else found.seen)


@pytest.mark.parametrize("name", zoo.REASONS)
def test_what_cannot_be_judged_says_why(name, detector):
    content, reason = zoo.REASONS[name]
    assert re.match(reason, answer(detector, content).error)


def test_only_the_first_of_several_pictures_counts_and_that_is_said(detector):
    wanted = detector.predict(zoo.PHOTO, views="tiles")[0].logit
    for name, note in (("apng", "animated"), ("webp of 0 seconds", "animated"), ("tiff of pages", "several pages")):
        found = answer(detector, zoo.FINE[name])
        assert [words.split(":")[0] for words in found.notes] == [note]
        if name != "webp of 0 seconds":  # that one is lossy
            assert found.logit == pytest.approx(wanted, abs=1e-5)


def test_a_text_that_is_too_long_changes_no_pixel(detector):
    wanted = answer(detector, zoo.PNG).logit
    for name in ("long text", "text bomb", "unicode text bomb", "profile bomb"):
        assert answer(detector, zoo.FINE[name]).logit == wanted, name


def test_heic_is_judged_where_it_can_be_read_and_else_says_what_is_missing(detector, monkeypatch):
    pytest.importorskip("pillow_heif")
    found = answer(detector, zoo.heic())
    assert (found.format, found.width, found.height) == ("HEIF", *zoo.SIZE)
    monkeypatch.setattr(unknown_files, "heif", lambda: False)
    assert answer(detector, zoo.heic()).error == unknown_files.NEEDS_HEIF


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_a_file_cut_anywhere_is_judged_or_told(kind, detector):
    content = zoo.stored(zoo.PHOTO, kind)
    found = list(detector.stream(content[: len(content) * tenth // 10] for tenth in range(11)))
    assert [one.verdict for one in found[:2]] == ["unreadable"] * 2
    assert found[-1].error is None
    assert not any(ADDRESS.search(one.error or "") for one in found)


def test_a_broken_image_of_pillow_is_told_as_well(detector):
    broken = Image.open(zoo.BytesIO(zoo.JPEG[:-400]))
    assert detector.predict([broken])[0].error.startswith("damaged")
    assert detector.predict([zoo.PHOTO.convert("F")])[0].error.startswith("pixels of kind F")


@settings(
    max_examples=600,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.sampled_from(range(len(SEEDS))), st.integers(0, 2**32))
def test_a_file_of_any_format_that_is_spoilt_anyhow_is_judged_or_told(detector, seed, number):
    answer(detector, zoo.mutated(SEEDS[seed], SEEDS, number))
