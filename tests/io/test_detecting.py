"""`from dda import Detector`: images of every kind, in any number, by any number of threads."""

import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from dda import Detector
from dda.core.errors import SetupError
from dda.embedded.photos import PHOTOGRAPHS, originals
from tests import small_detector

IMAGES = [np.asarray(originals(photograph)[0])[:190, : 50 + 90 * i] for i, photograph in enumerate(PHOTOGRAPHS[:3])]


@pytest.fixture(scope="module")
def detector(tmp_path_factory, one_thread):
    folder = small_detector.write(tmp_path_factory.mktemp("detector") / "small")
    return Detector.load(str(folder), "cpu")


def png(pixels):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def logits(detector, images, **options):
    return [one.logit for one in detector.predict(images, **options)]


def test_the_same_pixels_are_the_same_image_however_they_come(detector, tmp_path):
    wanted = detector.runtime.logits(IMAGES)
    for number, pixels in enumerate(IMAGES):
        (tmp_path / f"{number}.png").write_bytes(png(pixels))
    ways = {
        "paths": [tmp_path / f"{number}.png" for number in range(3)],
        "names": [str(tmp_path / f"{number}.png") for number in range(3)],
        "bytes": list(map(png, IMAGES)),
        "pillow": list(map(Image.fromarray, IMAGES)),
        "arrays": IMAGES,
        "floats": [pixels / 255 for pixels in IMAGES],
        "tensors": [torch.from_numpy(pixels.copy()).permute(2, 0, 1) for pixels in IMAGES],
        "float tensors": [torch.from_numpy(pixels / np.float32(255)).permute(2, 0, 1) for pixels in IMAGES],
    }
    for way, images in ways.items():
        assert logits(detector, images) == pytest.approx(wanted, abs=1e-5), way


def test_one_image_and_a_stack_of_them_are_taken_as_such(detector, tmp_path):
    wanted = detector.runtime.logits(IMAGES[:1])
    (tmp_path / "one.png").write_bytes(png(IMAGES[0]))
    one = torch.from_numpy(IMAGES[0].copy()).permute(2, 0, 1)
    for given in (str(tmp_path / "one.png"), png(IMAGES[0]), Image.fromarray(IMAGES[0]), IMAGES[0], one):
        assert logits(detector, given) == pytest.approx(wanted, abs=1e-5)
    assert logits(detector, torch.stack([one, one])) == pytest.approx(wanted * 2, abs=1e-5)
    assert logits(detector, np.stack([IMAGES[0]] * 3)) == pytest.approx(wanted * 3, abs=1e-5)
    assert detector.predict([]) == []


@pytest.mark.parametrize("image", [IMAGES[0].astype(float), np.zeros((4, 4, 2), np.uint8), 7, None, np.zeros(3)])
def test_what_is_no_image_at_all_is_an_error_of_the_caller(detector, image):
    with pytest.raises(ValueError, match="is no image: it must be a path"):
        detector.predict([image])


def test_what_cannot_be_read_is_answered_in_its_place(detector, tmp_path):
    found = detector.predict([png(IMAGES[0]), b"", b"no image", tmp_path / "gone.png", tmp_path, png(IMAGES[1])])
    assert [one.verdict == "unreadable" for one in found] == [False, True, True, True, True, False]
    assert [one.error for one in found[1:4]] == [
        "empty file",
        "no image in a known format",
        "cannot be read: No such file or directory",
    ]
    assert found[3].name == str(tmp_path / "gone.png")
    assert [found[1].probability, found[1].logit, found[1].seen, found[1].windows] == [None, None, None, ()]


def test_modes_and_depths_are_judged_as_their_rgb_pixels(detector):
    photo = Image.fromarray(IMAGES[0])
    clear = photo.convert("RGBA")
    clear.putalpha(0)
    grey = np.asarray(photo.convert("L"))
    palette, ink = photo.quantize(64), photo.convert("CMYK")
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    given = [clear, photo.convert("L"), deep, palette, ink]
    seen = [
        np.full_like(IMAGES[0], 255),
        *[np.dstack([grey] * 3)] * 2,
        *(np.asarray(x.convert("RGB")) for x in given[3:]),
    ]
    assert logits(detector, given) == pytest.approx(detector.runtime.logits(seen), abs=1e-5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright_before_it_is_looked_at(detector, orientation):
    turns = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90"}
    turns |= {7: "TRANSVERSE", 8: "ROTATE_270"}  # what a camera held that way stores
    upright, buffer, exif = Image.fromarray(IMAGES[1]), BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(Image.Transpose[turns[orientation]]) if orientation > 1 else upright
    stored.save(buffer, "PNG", exif=exif)
    (found,) = detector.predict(buffer.getvalue(), views="tiles")
    assert (found.width, found.height) == upright.size
    assert found.logit == pytest.approx(logits(detector, upright, views="tiles")[0], abs=1e-5)
    assert (orientation > 1) == ("turned upright as its EXIF data say" in found.notes)


def test_of_an_animation_the_first_frame_is_judged_and_that_is_said(detector):
    buffer = BytesIO()
    frames = [Image.fromarray(IMAGES[0]), Image.fromarray(255 - IMAGES[0])]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], duration=0, lossless=True)
    (found,) = detector.predict(buffer.getvalue())
    assert found.logit == pytest.approx(detector.runtime.logits(IMAGES[:1])[0], abs=1e-5)
    assert found.notes == ("animated: only its first frame was looked at",)


@pytest.mark.parametrize("views", ["centre", "five", "tiles"])
def test_a_logit_is_the_mean_of_the_windows_that_are_told(detector, views):
    (found,) = detector.predict(IMAGES[2], views=views)
    parts = [one.region.cut(IMAGES[2], type(one.region).whole(190, IMAGES[2].shape[1])) for one in found.windows]
    assert found.logit == pytest.approx(math.fsum(detector.runtime.logits(parts)) / len(parts), abs=1e-5)
    assert {"centre": 1, "five": 5, "tiles": 12}[views] == len(found.windows)
    shown = np.zeros(IMAGES[2].shape[:2], bool)
    for one in found.windows:
        one.region.cut(shown, type(one.region).whole(*shown.shape))[:] = True
    assert found.seen == pytest.approx(shown.mean(), abs=1e-12)


def test_a_verdict_follows_from_threshold_and_band(detector):
    free, strict = (detector.predict(IMAGES, max_fpr=rate) for rate in (None, 0.01))
    band = 0.5 * math.log(4)
    assert {one.threshold for one in free} == {0.0}
    assert [x for one in free for x in (-one.limits.lower, one.limits.upper)] == pytest.approx([band] * 6)
    assert {(one.threshold, one.limits.upper) for one in strict} == {(0.1, 0.1)}
    assert [one.verdict for one in free] == [one.limits.verdict(one.logit) for one in free]
    assert all(one.calibrated for one in free)
    with pytest.raises(SetupError, match=r"no threshold for a false-positive rate of 0\.2"):
        detector.predict(IMAGES, max_fpr=0.2)
    with pytest.raises(SetupError, match=r"no views 'center'\. Did you mean 'centre'"):
        detector.predict(IMAGES, views="center")


def test_many_images_keep_their_order_and_few_are_in_memory(detector):
    given, taken = [], []

    def images():
        for number in range(200):
            given.append(number)
            yield IMAGES[number % 3]

    expected = detector.runtime.logits(IMAGES)
    for number, one in enumerate(detector.stream(images())):
        taken.append(one.logit)
        assert len(given) - number < 2 * 32 + 20
    assert taken == pytest.approx([expected[number % 3] for number in range(200)], abs=1e-4)


def test_threads_may_share_a_detector(detector):
    wanted = logits(detector, IMAGES, views="five")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: logits(detector, IMAGES, views="five"), range(24)))
    assert all(one == pytest.approx(wanted, abs=1e-5) for one in found)


def test_importing_dda_takes_no_time_and_gives_the_detector():
    code = "import sys, dda; assert not {'torch', 'numpy', 'PIL'} & set(sys.modules); print(dda.Detector.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "dda.io.detecting"


@pytest.mark.gpu
def test_a_gpu_gives_the_logits_of_a_cpu(detector):
    if not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    fast = Detector.load(detector.runtime.folder, "cuda")
    assert logits(fast, IMAGES, views="five") == pytest.approx(logits(detector, IMAGES, views="five"), abs=1e-3)
    images = torch.rand(2, 3, 90, 70, device="cuda", requires_grad=True)
    fast.score(images).sum().backward()
    assert images.grad.abs().sum() > 0
