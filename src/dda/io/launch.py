"""Several processes of this machine that train one network, one for each GPU."""

import os
import socket
from collections.abc import Callable
from typing import Any

from dda.core.errors import SetupError
from dda.io import devices


def count(chosen: int | str) -> int:
    """How many processes to train with: as chosen, or for `auto` one for each GPU, and one without a GPU."""
    if chosen != "auto":
        return int(chosen)
    return max(1, devices.gpus()) if devices.best() == "cuda" else 1


def run(work: Callable[..., None], arguments: tuple[Any, ...], processes: int) -> None:
    """Do `work(*arguments)` in so many processes, which know of each other as torch.distributed expects it.

    One process is this one. A process that `accelerate launch` or `torchrun` started works as one of theirs.
    Raises what one of them raised: a SetupError as such, anything else with its traceback in words.
    """
    if processes == 1 or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        work(*arguments)
        return
    import torch

    mistakes = torch.multiprocessing.get_context("spawn").SimpleQueue()
    given = (work, arguments, {"WORLD_SIZE": str(processes), **_meeting_point()}, mistakes)
    try:
        torch.multiprocessing.spawn(_enter, args=given, nprocs=processes)
    except (torch.multiprocessing.ProcessRaisedException, torch.multiprocessing.ProcessExitedException) as error:
        if not mistakes.empty():
            raise SetupError(mistakes.get()) from error
        raise SetupError(f"one of {processes} training processes was lost, run again to go on: {error}") from error


def _enter(rank: int, work: Callable[..., None], arguments: Any, meeting: dict[str, str], mistakes: Any) -> None:
    """The life of one process: the first error of the setup is told, since others only follow from it."""
    import torch

    processes = meeting["WORLD_SIZE"]
    share = str(max(1, devices.cores() // int(processes)))
    own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": processes, "OMP_NUM_THREADS": share}
    os.environ.update(meeting | own)
    torch.set_num_threads(int(share))
    try:
        work(*arguments)
    except SetupError as error:
        mistakes.put(str(error))
        raise
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _meeting_point() -> dict[str, str]:
    """A free port of this machine, at which the processes find each other."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1])}
