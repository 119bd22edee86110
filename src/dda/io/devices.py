"""The machine's compute devices. A machine's choice, so an environment variable and never a parameter."""

import ctypes
import os
import threading
import time
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TRIM_INTERVAL_S = 15.0  # a gigabyte costs half a second to come again
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # of glibc's mallopt
DRIVERS = ("libcuda.so.1", "nvcuda.dll")  # of NVIDIA's, on Linux and on Windows
FAST_BF16 = ("amx_bf16", "arm_bf16", "sve_bf16")
OUT_OF_MEMORY = (  # what errors say that are plain RuntimeErrors
    "can't allocate memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


@dataclass(frozen=True)
class Slot:
    """Room for one worker: a device by torch's name for it, and how many CPU threads go with it."""

    device: str
    threads: int


def best() -> str:
    """DDA_DEVICE where it is set, else the first GPU, else the CPU; a name for torch, such as `cuda` or `cpu`."""
    chosen = os.environ.get("DDA_DEVICE")
    return chosen or ("cuda" if gpus() else "cpu")


def is_cpu(device: str | None) -> bool:
    """Whether work is for the CPU, as can be said without torch: it is named, or DDA_DEVICE is, or no GPU can be."""
    named = device or os.environ.get("DDA_DEVICE")
    return named == "cpu" if named else not _may_have_gpu()


def _may_have_gpu() -> bool:
    """Whether a driver of NVIDIA's or AMD's is here, and not told to show no GPU."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return False
    return Path("/dev/kfd").exists() or any(map(_can_load, DRIVERS))


def _can_load(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def gpus() -> int:
    """How many GPUs there are."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a driver that is too old is the same as no GPU
        return torch.cuda.device_count() if torch.cuda.is_available() else 0


def cores() -> int:
    """How many CPU cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def slots(cpus_per_worker: int) -> list[Slot]:
    """Workers that this machine has room for: one per GPU, each with its share of the cores, or as the cores allow."""
    chosen = os.environ.get("DDA_DEVICE", "")
    names = [chosen] if chosen else [f"cuda:{number}" for number in range(gpus())]
    if not names or chosen == "cpu":
        return [Slot("cpu", min(cpus_per_worker, cores()))] * max(1, cores() // cpus_per_worker)
    return [Slot(name, max(cpus_per_worker, cores() // len(names))) for name in names]


def threads() -> int:
    """How many CPU threads this process works with."""
    import torch

    return int(torch.get_num_threads())


def take(slot: Slot) -> None:
    """Make this process work on a device, with so many threads; on a CPU it keeps the memory that it once had."""
    import torch

    os.environ["DDA_DEVICE"] = slot.device
    torch.set_num_threads(slot.threads)
    torch.backends.cudnn.benchmark = False  # it would choose kernels, and so pixels, by their speed of the moment
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False  # torch's default for convolutions: float32 with the digits of float16
    if slot.device == "cpu":
        keep_memory()
    elif slot.device.startswith("cuda:"):
        torch.cuda.set_device(torch.device(slot.device))


def keep_memory() -> None:
    """Let this process keep freed memory for what it allocates next.

    Images and activations are megabytes each. Given back after every use, they come again as fresh pages, which the
    kernel has to clear: a quarter of the time and more. The gaps between what is kept grow without end, so everything
    that is free goes back from time to time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # only glibc has it
    if mallopt:
        # older glibc refuses more than 32 MiB, and any call ends its own adapting of the 128 KiB it begins with
        mallopt(MMAP_THRESHOLD, 1 << 30) or mallopt(MMAP_THRESHOLD, 1 << 25)
        mallopt(TRIM_THRESHOLD, (1 << 31) - 1)
        _trim_regularly()


def fast_precisions(device: str) -> list[str]:
    """Precisions that this device computes faster than float32, the most exact one first."""
    import torch

    if device.startswith("cuda"):
        return ["float16", *(["bfloat16"] if torch.cuda.get_device_capability(device) >= (8, 0) else [])]
    if device == "cpu":
        # avx512_bf16 alone is not faster than float32 (docs/experiments.md)
        able = torch.cpu.get_capabilities()
        return ["bfloat16"] if any(able.get(name) for name in FAST_BF16) else []
    return []


def upload(array: NDArray[Any], device: Any) -> Any:
    """An array as a tensor on the device; to a GPU without waiting for it."""
    import torch

    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if torch.device(device).type == "cuda" else tensor


class Timed:
    """Work on a device between two moments; on a GPU it goes on while the host prepares what comes next."""

    def __init__(self, device: Any) -> None:
        self.device = device
        self.started = self._now()
        self.ended: Any = None
        self.results: list[Any] = []

    def finish(self, *tensors: Any) -> "Timed":
        """Send results to the host; on a GPU they travel behind the work that makes them."""
        if self.device.type == "cuda":
            import torch

            self.ended = self._now()
            self.results = [
                torch.empty(t.shape, dtype=t.dtype, pin_memory=True).copy_(t, non_blocking=True) for t in tensors
            ]
            self.arrived = self._now()
        else:
            self.results = [tensor.cpu() for tensor in tensors]
            self.ended = self._now()
        return self

    def wait(self) -> tuple[list[NDArray[Any]], float]:
        """The results as arrays, and the seconds that the device worked on them."""
        arrays = [np.asarray(tensor) for tensor in self.results]
        if self.device.type == "cuda":
            self.arrived.synchronize()
            return arrays, self.started.elapsed_time(self.ended) / 1000
        return arrays, self.ended - self.started

    def _now(self) -> Any:
        if self.device.type != "cuda":
            return time.monotonic()
        import torch

        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, the device's or the host's, did not suffice."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in OUT_OF_MEMORY)


def release_memory() -> None:
    """Give back what is kept for later, on GPU and host."""
    import torch

    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    _trim_heap()


@cache
def _trim_regularly() -> None:
    """Begin a thread that trims the heap; one for a process."""

    def trim_now_and_then() -> None:
        while True:
            time.sleep(TRIM_INTERVAL_S)
            _trim_heap()

    threading.Thread(target=trim_now_and_then, daemon=True).start()


def _trim_heap() -> None:
    """Give back what the host keeps for later; what is needed soon costs its page faults once more."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only glibc has it
    if trim:
        trim(0)
