"""A score that can be climbed: the probability's own logit, with gradients at the pixels that were seen."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from dda import Detector
from dda.core.errors import SetupError
from dda.core.windows import regions_of
from tests import small_detector

TEMPERATURE = small_detector.CALIBRATION["temperature"]


@pytest.fixture(scope="module", params=[(), ("onnx",)], ids=["of torch", "of onnxruntime"])
def detector(request, tmp_path_factory, one_thread):
    return Detector.load(small_detector.write(tmp_path_factory.mktemp("detector") / "small", request.param), "cpu")


def tensor(pixels):
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255


@pytest.mark.parametrize("views", ["centre", "five", "tiles"])
@pytest.mark.parametrize("number", range(3))
def test_the_score_is_the_logit_of_predict_turned_round_in_units_of_the_temperature(detector, views, number):
    pixels = small_detector.PHOTOS[number]
    (wanted,) = detector.predict(pixels, views)
    (found,) = detector.score(tensor(pixels), views)
    assert float(found) == pytest.approx(-wanted.logit / TEMPERATURE, abs=1e-4)
    assert float(torch.sigmoid(found)) == pytest.approx(1 - wanted.probability, abs=1e-4)


@pytest.mark.parametrize("views", ["centre", "five"])
def test_gradients_reach_the_pixels_that_were_seen_and_no_other(detector, views):
    images = tensor(small_detector.PHOTOS[2]).requires_grad_()
    detector.score(images, views).sum().backward()
    seen = torch.zeros(images.shape[2:], dtype=torch.bool)
    for region in regions_of(*images.shape[2:], 64, views):
        seen[region.top : region.top + region.height, region.left : region.left + region.width] = True
    inside = images.grad[0].abs().sum(0)
    assert (inside[~seen] == 0).all()
    assert (inside[seen] > 0).float().mean() > 0.99


def test_the_gradient_is_the_slope_of_the_score(detector):
    images = tensor(small_detector.PHOTOS[1]).requires_grad_()
    detector.score(images).sum().backward()
    way = images.grad / images.grad.norm()
    with torch.no_grad():
        rise = (detector.score(images + 0.01 * way) - detector.score(images - 0.01 * way)) / 0.02
    assert float(rise) == pytest.approx(float(images.grad.norm()), rel=0.05)


def test_climbing_it_makes_an_image_look_real(detector):
    images = tensor(small_detector.PHOTOS[0]).clone()
    before = float(detector.score(images))
    for _ in range(5):
        images.requires_grad_()
        (slope,) = torch.autograd.grad(detector.score(images).sum(), images)
        images = (images + 0.02 * slope.sign()).clamp(0, 1).detach()
    assert float(detector.score(images)) > before + 0.2


def test_the_network_learns_nothing_from_it(detector):
    images = tensor(small_detector.PHOTOS[1]).requires_grad_()
    before = detector.predict(small_detector.PHOTOS[1])[0].logit
    detector.score(images).sum().backward()
    (network,) = vars(detector)["_rewards"].networks.values()
    assert all(weight.grad is None and not weight.requires_grad for weight in network.parameters())
    assert not network.training
    assert detector.predict(small_detector.PHOTOS[1])[0].logit == before


def test_batches_of_any_size_are_scored_image_by_image(detector):
    one = tensor(small_detector.PHOTOS[2])
    batch = torch.cat([one, one.flip(3), one.flip(2)] * 14)
    with torch.no_grad():
        found = detector.score(batch, "five")
        alone = torch.cat([detector.score(image[None], "five") for image in batch[:3]])
    assert (found.shape, found.requires_grad) == ((42,), False)
    assert found.tolist() == pytest.approx((alone.tolist()) * 14, abs=1e-4)
    assert detector.score(batch[:0]).shape == (0,)


def test_half_precision_images_are_scored_in_full_and_get_gradients_of_their_own_kind(detector):
    images = tensor(small_detector.PHOTOS[1]).to(torch.bfloat16).requires_grad_()
    score = detector.score(images)
    score.sum().backward()
    assert (score.dtype, images.grad.dtype) == (torch.float32, torch.bfloat16)
    assert float(score) == pytest.approx(float(detector.score(images.detach().float())), abs=1e-5)


def test_many_threads_load_it_once(tmp_path_factory):
    detector = Detector.load(small_detector.write(tmp_path_factory.mktemp("threads") / "small"), "cpu")
    images = tensor(small_detector.PHOTOS[1])
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: float(detector.score(images)), range(16)))
    assert found == pytest.approx([found[0]] * 16, abs=1e-5)
    assert len(vars(detector)["_rewards"].networks) == 1


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "uint8"),
        (torch.zeros(3, 8, 8), r"\(3, 8, 8\)"),
        (torch.zeros(1, 1, 8, 8), r"\(1, 1, 8, 8\)"),
        (torch.zeros(1, 3, 0, 8), r"\(1, 3, 0, 8\)"),
        (small_detector.PHOTOS[0], "are no images"),
        (torch.full((1, 3, 8, 8), -1.0), r"lie in \[-1, -1\], they must lie in \[0, 1\]"),
        (torch.full((1, 3, 8, 8), 255.0), "lie in"),
    ],
    ids=["bytes", "one", "grey", "empty", "array", "minus one to one", "to 255"],
)
def test_what_are_no_images_is_an_error_of_the_caller(detector, images, said):
    with pytest.raises(ValueError, match=said):
        detector.score(images)


def test_views_that_are_not_known_are_a_sentence(detector):
    with pytest.raises(SetupError, match=r"no views 'center'\. Did you mean 'centre'"):
        detector.score(torch.zeros(1, 3, 8, 8), "center")
