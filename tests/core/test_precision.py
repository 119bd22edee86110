"""How exact a faster precision is: the same images everywhere, and a number that can be trusted."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from dda import catalog
from dda.core.precision import MIN_PSNR_DB, agreement_db, passed, probe
from dda.core.reconstruction import RoundTrip, psnr, rounded, through
from dda.io import vaes

pytestmark = pytest.mark.usefixtures("one_thread")
TRIP = RoundTrip(4, 4)
LEVELS = np.linspace(0, 254, 300, dtype=np.float32)


@pytest.fixture(scope="module")
def tiny():
    return {name: vaes.load(catalog.get("vaes", "tiny"), "cpu", name) for name in ("float32", "bfloat16")}


@pytest.fixture(scope="module")
def exact(tiny):
    return passed(tiny["float32"], TRIP, probe())


def test_the_probe_is_the_same_in_every_process(monkeypatch):
    code = "import sys; from dda.core.precision import probe; sys.stdout.buffer.write(probe().tobytes())"
    monkeypatch.setenv("PYTHONHASHSEED", "77")
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert there == probe().tobytes() == probe().tobytes()


def test_the_probe_is_as_demanding_as_photographs():
    images = probe()
    assert (images.shape, images.dtype) == ((2, 256, 256, 3), np.uint8)
    assert psnr(*images) < 20
    for image in images:
        assert (image.min(), image.max()) == (0, 255)
        assert 40 < image.std() < 80
        assert np.abs(np.diff(image.astype(int), axis=0)).max() > 100


def test_what_a_vae_makes_is_told_in_grey_levels_before_rounding(tiny, exact):
    values = through(tiny["float32"], torch.from_numpy(probe()), None, TRIP)
    assert np.array_equal(np.rint(exact).astype(np.uint8), rounded(values).numpy())
    assert (np.abs(exact - np.rint(exact)) > 0.1).mean() > 0.5


def test_bfloat16_agrees_with_float32_on_the_embedded_vae_but_is_not_the_same(tiny, exact):
    found = agreement_db(exact, passed(tiny["bfloat16"], TRIP, probe()))
    assert MIN_PSNR_DB < found < 70


@pytest.mark.parametrize(("difference", "expected"), [(1.0, 48.1308), (0.1, 68.1308), (10.0, 28.1308), (0.0, np.inf)])
def test_the_agreement_is_a_psnr_in_grey_levels(difference, expected):
    assert agreement_db(LEVELS, LEVELS + np.float32(difference)) == pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_result_that_is_not_finite_agrees_with_nothing(value):
    broken = LEVELS.copy()
    broken[7] = value
    assert agreement_db(LEVELS, broken) == agreement_db(broken, LEVELS) == float("-inf")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_infinite_values_do_not_pass_for_white_or_black(value):
    vae = vaes.load(catalog.get("vaes", "tiny"), "cpu")
    torch.nn.init.constant_(vae.decoder.layers[-1].bias, value)
    assert np.isnan(passed(vae, TRIP, probe()[:, :32, :32])).all()
