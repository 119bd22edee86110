"""The benchmark of training runs and says what it must; how fast, no test asks."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
SAYS = (
    r"peak of {precision} matrices: [\d.]+ TFLOP/s",
    r"plain loop, float32.*: [\d.]+ images a second, [\d.]+ GiB at most(.*\n)+plain loop",
    r"engine, {precision}.*: [\d.]+ images a second, [\d.]+ GiB at most",
    r"an image: [\d.]+ GFLOP forward, [\d.]+ backward",
    r"engine: [\d.]+ TFLOP/s in products and convolutions, [\d.]+% of the peak",
    r"engine against plain loop: [\d.]+ times as many images a second",
    r"loader alone, \d+ worker\(s\): [\d.]+ images a second, [\d.]+ times what the engine takes",
    r"trainer, fed from disk: [\d.]+ images a second, [\d.]+% of the engine's on ready views",
)


def missing(precision, out):
    return [sentence for sentence in SAYS if not re.search(sentence.replace("{precision}", precision), out)]


def said(*options):
    command = [sys.executable, str(BENCH / "train.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=500).stdout


@pytest.mark.slow
def test_engine_plain_loop_and_loader_are_measured_in_one_run():
    few = ("--n", "2", "--updates", "1", "--batch-pairs", "1")
    assert missing("float32", said("--detector", "embedded", "--precision", "float32", *few)) == []


@pytest.fixture
def bench(monkeypatch):
    """A module of the benchmarks, by its name."""
    monkeypatch.syspath_prepend(BENCH)

    def load(name):
        spec = importlib.util.spec_from_file_location(f"bench_{name}", BENCH / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def test_shares_are_those_of_the_peak_and_of_the_mean_of_both_plain_loops(bench, capsys):
    engine = {"rate": 400.0, "forward": 0.4e12, "backward": 0.6e12}
    bench("train").conclude(engine, [{"rate": 90.0}, {"rate": 110.0}], 800e12)
    out = capsys.readouterr().out
    assert "400.00 GFLOP forward, 600.00 backward" in out
    assert "400.000 TFLOP/s in products and convolutions, 50.0% of the peak" in out
    assert "engine against plain loop: 4.00 times" in out


def test_what_lay_in_stock_is_told_beside_the_rate_of_the_trainer(bench, capsys):
    task = {"settings": {"machine": {"loader_workers": 16}}, "updates": 200}
    bench("train").conclude_fed({"alone": 600.0, "rate": 380.0, "stock": 64}, {"rate": 400.0}, task)
    out = capsys.readouterr().out
    assert "16 worker(s): 600.00 images a second, 1.50 times what the engine takes" in out
    assert "95.0% of the engine's on ready views; at most 64 updates of 200 came out of stock" in out


class Layers:
    """A linear layer of 3 * 8 * 8 inputs and 5 outputs below one of one output, the first one frozen or not."""

    def __init__(self, frozen):
        self.frozen = frozen

    def __call__(self, row):
        from torch import nn

        network = nn.Sequential(nn.Flatten(), nn.Linear(192, 5), nn.Linear(5, 1))
        network[1].requires_grad_(not self.frozen)
        return network


@pytest.mark.parametrize(("frozen", "backward"), [(True, 2 * 5), (False, 2 * (192 * 5 + 5 + 5))])
def test_a_backward_pass_is_counted_without_gradients_that_nobody_needs(bench, frozen, backward):
    counted = bench("operations").of_an_image(Layers(frozen), {"preprocessing": {"input_px": 8}})
    assert counted == {"forward": 2 * (192 * 5 + 5), "backward": backward}


@pytest.mark.gpu
def test_the_papers_detector_is_measured_on_a_gpu():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    assert missing("bfloat16", said("--detector", "dinov2-l14", "--size", "640x480", "--updates", "10")) == []
