"""Where work is done: processes of this machine, one for each device, or a Ray cluster. Stages don't know which.

A task is a function of an item and of `report`, to be called with how much of the item was done since. It works in the
project's folder and, being of a module, reaches other processes by its name. What it gives for an item may depend on
nothing but the item, so whoever works, however often, in whatever order, the result is the same.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection, get_all_start_methods, get_context, parent_process
from pathlib import Path
from typing import Any, Protocol

from dda.core.errors import SetupError
from dda.io import devices

Report = Callable[[int], object]
Task = Callable[[Any, Report], Any]
MAX_LOSSES = 3
PATIENCE_S = 5.0
PRELOADED = ["torch", "diffusers.models.autoencoders", "dda.io.reconstructor"]


class Executor(Protocol):
    """Whoever does work."""

    def map(self, task: Task, items: Sequence[Any], report: Report) -> Iterator[Any]:
        """The task's result for each item, as they come. A lost worker's item is done again, by another one.

        Raises what the task raises, and SetupError where an item cost MAX_LOSSES workers.
        """


@contextlib.contextmanager
def start(kind: str, cpus_per_worker: int) -> Iterator[Executor]:
    """An executor, `local` or `ray`; its workers end with the block, and with this process however that ends."""
    executor = LocalExecutor(cpus_per_worker) if kind == "local" else RayExecutor(cpus_per_worker)
    try:
        yield executor
    finally:
        executor.close()


class LocalExecutor:
    """Processes of this machine, one for each slot, started when there is work for them."""

    def __init__(self, cpus_per_worker: int) -> None:
        self.free = devices.slots(cpus_per_worker)
        self.idle: list[Worker] = []
        self.busy: dict[Any, tuple[Worker, int]] = {}

    def map(self, task: Task, items: Sequence[Any], report: Report) -> Iterator[Any]:
        """See Executor. One map at a time."""
        waiting, losses = list(range(len(items))), [0] * len(items)
        try:
            while waiting or self.busy:
                while waiting and (self.idle or self.free):
                    worker, item = self.idle.pop() if self.idle else Worker(self.free.pop(0)), waiting.pop(0)
                    self.busy[worker.connection] = worker, item
                    worker.begin(task, items[item])
                for ready in connection.wait(list(self.busy)):
                    worker, item = self.busy[ready]
                    word, value = worker.hear()
                    if word in ("progress", "lost"):
                        report(value)
                    if word == "progress":
                        continue
                    del self.busy[ready]
                    if word == "lost":
                        losses[item] += 1
                        self._lost(worker, losses[item])
                        waiting.insert(0, item)
                        continue
                    self.idle.append(worker)
                    if word == "failed":
                        raise value
                    yield value
        finally:
            if self.busy:  # what they say would be taken for answers to the next map
                self.close()

    def close(self) -> None:
        """End all workers."""
        for worker in [*self.idle, *(worker for worker, _ in self.busy.values())]:
            self.free.append(worker.slot)
            worker.end()
        self.idle, self.busy = [], {}

    def _lost(self, worker: "Worker", losses: int) -> None:
        self.free.append(worker.slot)
        told = f"a worker on {worker.slot.device} was lost (exit status {worker.end()}, -9 often means out of memory)"
        if losses >= MAX_LOSSES:
            raise SetupError(f"{told}, {losses} over the same work: finished work is kept, run again")
        print(f"{told}: its work is done again", file=sys.stderr, flush=True)


class Worker:
    """A process that works on one device, seen from the process that started it."""

    def __init__(self, slot: devices.Slot) -> None:
        self.slot, self.reported = slot, 0
        context = worker_context()
        self.connection, pipe = context.Pipe()
        self.process = context.Process(target=_serve, args=(pipe, slot, str(Path.cwd()), dict(os.environ)), daemon=True)
        self.process.start()
        pipe.close()

    def begin(self, task: Task, item: Any) -> None:
        """Hand an item over. A worker that is already lost is noticed by `hear`."""
        self.reported = 0
        with contextlib.suppress(ConnectionError):
            self.connection.send((task, item))

    def hear(self) -> tuple[str, Any]:
        """What the worker says: progress, done, failed; or lost, with the progress that is to be taken back."""
        try:
            word, value = self.connection.recv()
        except (EOFError, OSError):  # OSError: it ended in the middle of a word
            return "lost", -self.reported
        self.reported += value if word == "progress" else 0
        return word, value

    def end(self) -> Any:
        """Kill the process; its exit status."""
        self.process.kill()
        self.process.join()
        self.connection.close()
        return self.process.exitcode


def worker_context() -> Any:
    """How processes begin: copied from one that has only imported; copies of this one could hang and use no GPU."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _serve(pipe: Any, slot: devices.Slot, folder: str, environment: dict[str, str]) -> None:
    """A worker's life."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_die_with_parent, daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    with contextlib.suppress(ConnectionError):  # the parent is gone
        while True:
            pipe.send(_answer(slot, folder, pipe.recv, lambda count: pipe.send(("progress", count))))


def _answer(slot: devices.Slot, folder: str, receive: Callable[[], Any], report: Report) -> tuple[str, Any]:
    """What a worker says of an item: the result, or the error that its parent shall raise."""
    try:
        task, item = receive()
        os.chdir(folder)
        devices.take(slot)
        return "done", task(item, report)
    except SetupError as error:
        return "failed", error
    except Exception:  # noqa: BLE001 - told to the parent; not every error survives the way there, so its text goes
        return "failed", RuntimeError(f"on {slot.device} of {socket.gethostname()}:\n{traceback.format_exc()}")


def _die_with_parent() -> None:
    """End this process as soon as its parent has ended, in whatever way."""
    if parent := parent_process():
        connection.wait([parent.sentinel])
        os._exit(1)


class RayExecutor:
    """Tasks of a Ray cluster, of RAY_ADDRESS or this machine alone; nodes share the project's folder, by one path."""

    def __init__(self, cpus_per_worker: int) -> None:
        os.environ.setdefault("RAY_task_oom_retries", str(MAX_LOSSES - 1))  # else without end; read at import
        try:
            import ray
        except ImportError as error:
            raise SetupError("`reconstruct.executor: ray` needs Ray: install dda[ray], or choose `local`") from error
        self.ray, self.cpus = ray, cpus_per_worker
        address = os.environ.get("RAY_ADDRESS") or "local"  # else Ray would join whatever runs on this machine
        try:
            _greet(address)
            ray.init(address, log_to_driver=False, logging_level="CRITICAL", include_dashboard=False)
        except (OSError, ValueError, RuntimeError) as error:
            raise SetupError(f"no Ray cluster at {address}: {error}: correct RAY_ADDRESS, or unset it") from error

    def map(self, task: Task, items: Sequence[Any], report: Report) -> Iterator[Any]:
        """See Executor. A task asks for a GPU where the cluster has any. Progress is told for whole items."""
        gpus = 1 if self.ray.cluster_resources().get("GPU") else 0
        self._check_room(gpus)
        # max_calls=0: a worker on a GPU keeps its model for the next task
        remote = self.ray.remote(num_cpus=self.cpus, num_gpus=gpus, max_calls=0, max_retries=MAX_LOSSES - 1)(_work_in)
        waiting = [remote.remote(str(Path.cwd()), self.cpus, task, item) for item in items]
        try:
            while waiting:
                finished, waiting = self.ray.wait(waiting, timeout=PATIENCE_S)
                if not finished:
                    self._check_room(gpus)  # nodes may have gone: Ray would wait for others without end
                for one in finished:
                    word, value, done = self._result(one)
                    if word == "failed":
                        raise value
                    report(done)
                    yield value
        finally:
            for one in waiting if self.ray.is_initialized() else []:  # else `cancel` would begin a cluster
                self.ray.cancel(one, force=True)

    def close(self) -> None:
        """Leave the cluster, which ends this process's tasks."""
        self.ray.shutdown()

    def _check_room(self, gpus: int) -> None:
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        if not any(node.get("CPU", 0) >= self.cpus and node.get("GPU", 0) >= gpus for node in nodes):
            found = "; ".join(f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs" for node in nodes)
            what = f"`cpus_per_worker: {self.cpus}`{' and a GPU' * gpus}. There are: {found or 'no nodes'}"
            raise SetupError(f"no node of the Ray cluster has room for {what}")

    def _result(self, finished: Any) -> Any:
        try:
            return self.ray.get(finished)
        except self.ray.exceptions.RayError as error:
            told = str(error).strip().splitlines()
            unfit = isinstance(error, self.ray.exceptions.RayTaskError)  # else `_answer` would have told
            why = f"a node needs the same dda and Python: {told[-1]}" if unfit else f"{MAX_LOSSES} losses: {told[0]}"
            raise SetupError(f"work cannot be done on the Ray cluster, {why}") from error


def _greet(address: str) -> None:
    """Raise OSError where no Ray cluster answers, in the words of HTTP/2: Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and "/" not in host:  # else it is a word, or an address of Ray's client
        with socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE_S) as cluster:
            cluster.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
            if cluster.recv(4)[3:] != b"\4":
                raise ConnectionError("what answers there is not Ray")


def _work_in(folder: str, cpus: int, task: Task, item: Any) -> tuple[str, Any, int]:
    """A task of a Ray worker: what `_answer` says, and how much was reported done."""
    done: list[int] = []
    return *_answer(devices.Slot(devices.best(), cpus), folder, lambda: (task, item), done.append), sum(done)
