"""Devices: how many workers a machine has room for, memory that is kept, and what counts as too little of it."""

import ctypes
import json
import os
import platform
import resource
import subprocess
import sys

import numpy as np
import pytest
import torch

from dda.io import devices
from dda.io.devices import Slot

TAKEN = """
import json, os, resource, torch
from dda.io import devices

def faults(n_allocations):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n_allocations):
        torch.ones(10_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

fresh = faults(5)
devices.take(devices.Slot("cpu", 3))
faults(20)
cudnn = torch.backends.cudnn
print(json.dumps({
    "device": [os.environ["DDA_DEVICE"], devices.best(), devices.threads()],
    "cudnn": [cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32],
    "faults": [fresh, faults(5)],
}))
"""


@pytest.fixture(scope="module")
def taken():
    """What is so in a process that has taken the CPU, with three threads."""
    return json.loads(printed(TAKEN))


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many cores and GPUs."""
    monkeypatch.delenv("DDA_DEVICE", raising=False)

    def made(cores, gpus=0):
        monkeypatch.setattr(devices, "cores", lambda: cores)
        monkeypatch.setattr(devices, "gpus", lambda: gpus)

    return made


def printed(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


# --- slots


@pytest.mark.parametrize(
    ("cores", "each", "expected"), [(8, 1, (8, 1)), (8, 3, (2, 3)), (8, 8, (1, 8)), (2, 16, (1, 2)), (1, 1, (1, 1))]
)
def test_without_a_gpu_the_cores_are_shared_out(machine, cores, each, expected):
    count, threads = expected
    machine(cores)
    assert devices.slots(each) == [Slot("cpu", threads)] * count


def test_every_gpu_has_a_worker_with_its_share_of_the_cores(machine):
    machine(cores=16, gpus=4)
    assert devices.slots(1) == [Slot(f"cuda:{number}", 4) for number in range(4)]
    assert devices.slots(6)[0].threads == 6


@pytest.mark.parametrize(("chosen", "expected"), [("cuda:2", [Slot("cuda:2", 8)]), ("cpu", [Slot("cpu", 2)] * 4)])
def test_a_chosen_device_is_the_only_one(machine, monkeypatch, chosen, expected):
    machine(cores=8, gpus=4)
    monkeypatch.setenv("DDA_DEVICE", chosen)
    assert devices.best() == chosen
    assert devices.slots(2) == expected


@pytest.mark.parametrize(("gpus", "expected"), [(0, "cpu"), (2, "cuda")])
def test_a_gpu_is_better_than_none(machine, gpus, expected):
    machine(8, gpus)
    assert devices.best() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a system that binds processes to cores")
def test_only_cores_that_this_process_may_use_are_counted():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    assert printed(code + "from dda.io import devices; print(devices.cores())") == "1\n"


# --- a device that is taken


def test_a_taken_device_is_the_best_one_and_computes_the_same_every_time(taken):
    assert taken["device"] == ["cpu", "cpu", 3]
    assert taken["cudnn"] == [False, True, False]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep memory")
def test_memory_that_a_worker_once_had_does_not_come_as_fresh_pages_again(taken):
    fresh, kept = taken["faults"]
    assert fresh > 5 * 40e6 / resource.getpagesize() * 0.9
    assert kept < fresh / 10


def test_a_gpu_offers_half_precisions_and_other_devices_none_that_are_slow(monkeypatch):
    able = {"avx512_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert devices.fast_precisions("cpu") == []
    able["amx_bf16"] = True
    assert devices.fast_precisions("cpu") == ["bfloat16"]
    assert devices.fast_precisions("mps") == []


@pytest.mark.parametrize(("capability", "expected"), [((9, 0), ["float16", "bfloat16"]), ((7, 5), ["float16"])])
def test_float16_is_tried_first_on_a_gpu(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert devices.fast_precisions("cuda:0") == expected


# --- memory that does not suffice


def test_memory_that_torch_or_numpy_cannot_have_is_known_as_such():
    for ask in (lambda: torch.empty(1 << 60, dtype=torch.uint8), lambda: np.empty(1 << 60, np.uint8)):
        with pytest.raises((RuntimeError, MemoryError)) as raised:
            ask()
        assert devices.out_of_memory(raised.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("can't allocate memory"), False),
    ],
)
def test_other_errors_are_no_lack_of_memory(error, expected):
    assert devices.out_of_memory(error) is expected


def test_memory_of_a_gpu_that_is_not_used_needs_no_release():
    devices.release_memory()


KEEPS = """
import ctypes, sys, time
import torch
from dda.io import devices

def resident_mib():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

devices.TRIM_INTERVAL_S = float(sys.argv[1])
devices.take(devices.Slot("cpu", 1))
devices.take(devices.Slot("cpu", 1))
before = resident_mib()
kept = [torch.ones(5 * 2**20) for _ in range(20)]
last = torch.ones(1)
held = resident_mib()
del kept
freed = resident_mib()
time.sleep(1.0)
print(before, held, freed, resident_mib())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="glibc only")
@pytest.mark.parametrize(("interval_s", "goes_back"), [("60", False), ("0.1", True)])
def test_freed_memory_is_kept_for_what_comes_next_but_goes_back_from_time_to_time(interval_s, goes_back):
    command = [sys.executable, "-c", KEEPS, interval_s]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
    before, held, freed, later = map(float, out.split())
    assert held - before > 300
    assert freed - before > 300 or goes_back  # within a tenth of a second some may be gone already
    assert (later - before < 100) is goes_back


# --- work that is timed


def test_work_on_the_cpu_is_there_at_once_with_the_seconds_it_took():
    levels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    work = devices.Timed(torch.device("cpu"))
    tensor = devices.upload(levels, torch.device("cpu"))
    (doubled, flags), seconds = work.finish(tensor * 2, tensor > 5).wait()
    assert doubled.tolist() == (levels * 2).tolist()
    assert flags.tolist() == (levels > 5).tolist()
    assert 0 <= seconds < 5
