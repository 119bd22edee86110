"""One writer at a time, over all machines: a registered model called `<model>.lock` is the lock.

MLflow refuses a second registered model of the same name, whatever its database, so making one is taking the lock, and
deleting it is giving it back. Its tags say who has it. What a process left that died is taken over at once on its own
machine, and after LEASE_S elsewhere: renamed first, which only one of several can do, then deleted.
"""

import fcntl
import logging
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError
from dda.io.mlflow_store import is_missing, is_there_already, told

SUFFIX = ".lock"
LEASE_S = 3600.0
POLL_S = 1.0
LOCAL = Path("artifacts/registry/.lock")
log = logging.getLogger(__name__)
_held: set[str] = set()
"""Owners of locks that this process has now."""


@dataclass(frozen=True)
class Holder:
    """Who has a lock, since when, and what for; `began` tells the process from others of its pid."""

    owner: str
    host: str
    pid: int
    began: str
    since_s: float
    doing: str

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> "Holder":
        """The holder that a lock's tags tell of; whatever they lack, it is long gone."""
        owner, host, began, doing = (tags.get(name) or "unknown" for name in ("owner", "host", "began", "doing"))
        return cls(owner, host, int(tags.get("pid") or 0), began, float(tags.get("since_s") or 0), doing)

    @property
    def tags(self) -> dict[str, str]:
        """What is written into the lock."""
        return {name: str(value) for name, value in vars(self).items()}

    @property
    def is_gone(self) -> bool:
        """Whether nobody will ever give the lock back."""
        if self.host != socket.gethostname():
            return time.time() - self.since_s > LEASE_S
        if self.pid == os.getpid() and self.began == began(self.pid):
            return self.owner not in _held
        return began(self.pid) != self.began

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.since_s))
        return f"process {self.pid} on {self.host}, since {since}: {self.doing}"


@contextmanager
def held(client: Any, model: str, doing: str, wait_s: float) -> Iterator[None]:
    """Have the lock of a model during a block. Raises SetupError where another has it for longer than `wait_s`."""
    name = f"{model}{SUFFIX}"
    me = (os.getpid(), began(os.getpid()) or "")
    mine = Holder(secrets.token_hex(8), socket.gethostname(), *me, time.time(), doing)
    _held.add(mine.owner)
    try:
        _take(client, name, mine, wait_s)
        _sweep(client, name)
        yield
    finally:
        _held.discard(mine.owner)
        _give_back(client, name, mine)


def _take(client: Any, name: str, mine: Holder, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while not _made(client, name, mine):
        other = _holder(client, name)
        if other and other.is_gone:
            _take_away(client, name)
        elif other and time.monotonic() > deadline:
            raise SetupError(
                f"cannot {mine.doing}: the registry is held by {other}. Wait until that is done, run again"
            )
        elif other:
            time.sleep(min(POLL_S, wait_s))


def _sweep(client: Any, name: str) -> None:
    """Delete what takeovers that were cut off have renamed, and not deleted any more."""
    with told("tidy up the lock"):
        for aside in client.search_registered_models(f"name LIKE '{name}.%'"):
            client.delete_registered_model(aside.name)


def _made(client: Any, name: str, mine: Holder) -> bool:
    """Make the lock, and see that it is ours: whether it is."""
    from mlflow.exceptions import MlflowException

    with told("lock"):
        try:
            client.create_registered_model(name, tags=mine.tags, description=f"held by {mine}")
        except MlflowException as error:
            if not is_there_already(error):
                raise
            # an answer that was lost and asked for again: the lock that is there is the one just made
    found = _holder(client, name)
    return found is not None and found.owner == mine.owner


def _holder(client: Any, name: str) -> Holder | None:
    """Who has the lock; None where nobody has it."""
    from mlflow.exceptions import MlflowException

    with told("read the lock"):
        try:
            return Holder.of(client.get_registered_model(name).tags)
        except MlflowException as error:
            if is_missing(error):
                return None
            raise


def _take_away(client: Any, name: str) -> None:
    """Take the lock from one who is gone, unless somebody was faster; one process of this machine at a time."""
    from mlflow.exceptions import MlflowException

    LOCAL.parent.mkdir(parents=True, exist_ok=True)
    with LOCAL.open("w") as file, told("take over the lock"):
        fcntl.flock(file, fcntl.LOCK_EX)
        gone = _holder(client, name)
        if gone is None or not gone.is_gone:
            return
        aside = f"{name}.{gone.owner}"
        with suppress(MlflowException):  # another machine was faster
            client.rename_registered_model(name, aside)
        moved = _holder(client, aside)
        if moved and moved.owner != gone.owner:
            client.rename_registered_model(aside, name)  # a living one's, taken between the two requests
        elif moved:
            log.warning("the registry's lock was left behind by %s, and is taken over", gone)
            client.delete_registered_model(aside)


def _give_back(client: Any, name: str, mine: Holder) -> None:
    """Delete the lock if it is ours; where the store is away, the next one finds that its holder is gone."""
    try:
        found = _holder(client, name)
        if found and found.owner == mine.owner:
            with told("give back the lock"):
                client.delete_registered_model(name)
    except SetupError as error:
        log.warning("the registry's lock could not be given back, the next writer takes it over: %s", error)


def began(pid: int) -> str | None:
    """When a process of this machine began, in a form that is only compared; None where it has ended.

    On Linux in ticks since the machine started, which no change of the clock moves; elsewhere only that it runs.
    """
    try:
        os.kill(pid, 0)
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() if Path("/proc/self").exists() else []
    except (ProcessLookupError, FileNotFoundError):
        return None
    except PermissionError:
        return "of another user"
    return None if told and told[0] in "ZX" else (told[19] if told else "running")
