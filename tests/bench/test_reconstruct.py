"""The benchmark runs and says what it must; how fast, no test asks."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "bench/reconstruct.py"
SAYS = (
    r"plain loop, \w+: [\d.]+ s, [\d.]+ a second, [\d.]+ GiB at most",
    r"engine, +4N = \d+ photos: .*[\d.]+ GiB at most, mean -?[\d.]+ dB",
    r"processes and models take [\d.]+ s to start",
)
RATES = (
    r"engine against plain loop: [\d.]+ times as many photos a second",
    r"the model computes \d+% of the time of \d+ worker",
)
GROWTH = (r"4N: [\d.]+ of linear growth of time, [\d.]+ times the memory of N",)


def missing(sentences, out):
    return [sentence for sentence in sentences if not re.search(sentence, out)]


def said(*options):
    command = [sys.executable, str(SCRIPT), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=500).stdout


@pytest.mark.slow
def test_the_engine_is_measured_against_a_plain_loop_in_one_run():
    out = said("--n", "2", "--cpus-per-worker", "64")
    assert missing(SAYS, out) == []
    rates, growth = missing(RATES, out) == [], missing(GROWTH, out) == []  # how busy the machine is decides which
    assert rates != ("8 photos take too little time beside that to tell a rate: take more, with --n" in out)
    assert growth == (rates and "2 photos take too little time beside that start to tell growth" not in out)


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    spec = importlib.util.spec_from_file_location("bench_reconstruct", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rates_and_growth_are_told_without_the_start(bench, capsys):
    runs = {"one": {"seconds": 11.0, "model_s": 1.0}}
    for label, n, work_s, gib in (("N", 20, 10.0, 1.0), ("2N", 40, 20.0, 1.1), ("4N", 80, 44.0, 1.2)):
        facts = {"seconds": 10.0 + work_s, "work_s": work_s, "rate": n / work_s, "model_s": 2 * work_s * 0.9}
        runs[label] = facts | {"peak_bytes": gib * 2**30}
    bench.conclude({"rate": 0.8}, runs, 20, 2)
    out = capsys.readouterr().out
    assert missing(RATES + GROWTH, out) == []
    assert "start\nengine against plain loop: 2.27 times" in out
    assert "with that start, at 4N: 1.85 times" in out
    assert "computes 90% of the time of 2 worker" in out
    assert "4N: 1.10 of linear growth of time, 1.20 times the memory of N" in out


def test_growth_is_not_told_where_the_start_hides_it(bench, capsys):
    runs = {"one": {"seconds": 11.0, "model_s": 1.0}, "N": {"work_s": 2.0}}
    runs["4N"] = {"seconds": 18.0, "work_s": 8.0, "rate": 10.0, "model_s": 7.0}
    bench.conclude({"rate": 4.0}, runs, 20, 1)
    out = capsys.readouterr().out
    assert "2.50 times as many" in out
    assert "20 photos take too little time beside that start to tell growth: take more, with --n" in out
    assert "linear" not in out


def test_photos_are_taken_again_where_there_are_too_few(bench, tmp_path):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).touch()
    taken = bench.inputs.photos_of(str(tmp_path), 7, tmp_path)
    assert [Path(path).stem for path in taken] == list("abcabca")


@pytest.mark.gpu
def test_the_architecture_of_stable_diffusion_is_measured_on_a_gpu():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    out = said("--vae", "sd21-random", "--size", "640x480", "--n", "1024", "--plain-precision", "float16")
    assert missing(SAYS + RATES + GROWTH, out) == []
