"""An engine in half precision, with less memory, compiled, and on a GPU: it learns what it learns in float32."""

import copy
from io import BytesIO

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from PIL import Image, ImageFilter

from dda.core.windows import centre_window
from dda.io import engine
from tests import training
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("one_thread")
LORA = training.ROW | training.LORA
HALF = {"precision": "bfloat16"}
STEADY = {
    "optimiser": {"lr": 1e-3, "weight_decay": 0.0, "max_grad_norm": 1.0},
    "schedule": {"kind": "constant", "warm_up": 0.0},
}


@pytest.fixture
def batch(tiles):
    """Eight real windows and their blurred fakes, in turn: uint8 (16, 32, 32, 3)."""
    images = []
    for content in list(tiles.values())[::2][:8]:
        with Image.open(BytesIO(content)) as photo:
            fake = photo.filter(ImageFilter.GaussianBlur(3))
            images += [centre_window(np.asarray(image), 32) for image in (photo, fake)]
    return torch.from_numpy(np.stack(images))


@pytest.fixture
def started(monkeypatch):
    """An engine at its first step: row, device, **changes of the settings -> engine."""

    def make(row, device="cpu", **changes):
        monkeypatch.setenv("DDA_DEVICE", device)
        monkeypatch.delenv("ACCELERATE_TORCH_DEVICE", raising=False)
        AcceleratorState._reset_state(reset_partial_state=True)  # a process keeps the device that it once had
        return engine.start(row, training.settings(ROOT, **(STEADY | changes)))

    yield make
    AcceleratorState._reset_state(reset_partial_state=True)


def curve(made, batch, updates, first=0):
    """The losses of so many updates on one batch."""
    return [made.update(step, 100, [batch]).loss for step in range(first, first + updates)]


def test_a_network_is_trained_on_the_very_device_that_was_named(started, batch):
    made = started(training.ROW, "cpu:0")
    assert made.accelerator.device == torch.device("cpu:0")
    assert np.isfinite(curve(made, batch, 1)).all()


@pytest.mark.gpu
def test_a_network_is_trained_on_the_last_gpu_where_that_was_named(started, batch, gpu):
    last = f"cuda:{torch.cuda.device_count() - 1}"
    made = started(training.ROW, last)
    assert {str(weight.device) for weight in made.network.parameters()} == {last}
    assert np.isfinite(curve(made, batch, 1)).all()


@pytest.mark.parametrize("row", [training.ROW, LORA], ids=["all", "lora"])
def test_half_precision_has_nearly_the_curve_of_float32(started, batch, row):
    exact, half = curve(started(row), batch, 6), curve(started(row, **HALF), batch, 6)
    assert half != exact
    assert half == pytest.approx(exact, rel=0.02)
    assert half[-1] < half[0]


def test_what_is_learnt_in_half_precision_is_kept_in_float32(started, batch):
    made = started(LORA, **HALF)
    curve(made, batch, 1)
    assert {weight.dtype for weight in made.weights().values()} == {torch.float32}
    assert {weight.dtype for weight in made.network.parameters()} == {torch.float32}


def adapted_layers(made):
    return [layer for layer in made.network.modules() if hasattr(layer, "lora_A")]


def test_what_adapters_see_is_cast_once_and_not_a_bit_changes(started, batch):
    once, twice = started(LORA, **HALF), started(LORA, **HALF)
    assert not any(layer.cast_input_dtype_enabled for layer in adapted_layers(once))
    for layer in adapted_layers(twice):
        layer.cast_input_dtype_enabled = True
    assert curve(once, batch, 4) == curve(twice, batch, 4)
    first, second = once.weights(), twice.weights()
    assert all(torch.equal(first[name], value) for name, value in second.items())


def test_norms_of_dora_are_taken_of_what_peft_casts(started, batch):
    made = started(LORA | {"lora": LORA["lora"] | {"dora": True}}, **HALF)
    assert all(layer.cast_input_dtype_enabled for layer in adapted_layers(made))
    assert np.isfinite(curve(made, batch, 2)).all()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("row", [training.ROW, LORA], ids=["all", "lora"])
def test_gradient_checkpointing_computes_again_what_it_forgot(started, batch, row, precision):
    kept, forgot = (
        started(row, precision=precision, machine={"gradient_checkpointing": chosen}) for chosen in (False, True)
    )
    assert curve(forgot, batch, 4) == curve(kept, batch, 4)


# --- on a GPU


@pytest.fixture
def gpu():
    """The first GPU's name."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return "cuda:0"


@pytest.mark.gpu
def test_a_gpu_in_half_precision_learns_a_few_pairs(started, batch, gpu):
    made = started(LORA, gpu, **HALF, optimiser=STEADY["optimiser"] | {"lr": 3e-3})
    losses = curve(made, batch, 60)
    assert {weight.device.type for weight in made.network.parameters()} == {"cuda"}
    assert np.mean(losses[-5:]) < 0.8 * losses[0]


@pytest.mark.gpu
@pytest.mark.parametrize("row", [training.ROW, LORA], ids=["all", "lora"])
def test_a_gpu_in_half_precision_has_nearly_the_curve_of_a_cpu_in_float32(started, batch, gpu, row):
    assert curve(started(row, gpu, **HALF), batch, 6) == pytest.approx(curve(started(row), batch, 6), rel=0.02)


@pytest.mark.gpu
@pytest.mark.parametrize("row", [training.ROW, LORA], ids=["all", "lora"])
def test_a_run_on_a_gpu_goes_on_from_its_state(started, batch, gpu, row):
    """Weights are the same to the last bit; what follows nearly, since some sums on a GPU have no fixed order."""
    whole = started(row, gpu, **HALF)
    curve(whole, batch, 4)
    state = copy.deepcopy(whole.state())  # it holds the optimiser's own tensors
    expected = curve(whole, batch, 4, first=4)
    again = started(row, gpu, **HALF)
    again.take_state(state)
    restored = again.state()["moving"]
    assert all(torch.equal(state["moving"][name], value) for name, value in restored.items())
    assert curve(again, batch, 4, first=4) == pytest.approx(expected, rel=1e-3)


@pytest.mark.gpu
def test_a_compiled_network_begins_with_the_loss_of_a_plain_one(started, batch, gpu):
    plain, compiled = (started(LORA, gpu, **HALF, machine={"compile": chosen}) for chosen in (False, True))
    assert curve(compiled, batch, 3) == pytest.approx(curve(plain, batch, 3), rel=0.01)


@pytest.mark.gpu
def test_a_gpu_keeps_less_where_it_computes_again(started, batch, gpu):
    peaks = []
    for chosen in (False, True):
        made = started(LORA, gpu, **HALF, machine={"gradient_checkpointing": chosen})
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        curve(made, batch.repeat(16, 1, 1, 1), 1)
        peaks.append(torch.cuda.max_memory_allocated() - before)
    assert peaks[1] < peaks[0]
