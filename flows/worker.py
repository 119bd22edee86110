"""A worker: runs what is due, in the clone that it is started from.    python -m flows.worker"""

import os
import platform
import sys
from pathlib import Path

from prefect.settings import get_current_settings

from dda.core.errors import SetupError
from flows import deploy

HEARTBEAT_S = 30


def main() -> None:
    """Make the pool where there is none, and become Prefect's worker. Raises SetupError where no server is named."""
    if not get_current_settings().api.url:
        raise SetupError("PREFECT_API_URL is not set: a worker needs a server; `make services` starts one")
    deploy.pool()
    os.environ.setdefault("DDA_CHECKOUT", str(Path.cwd()))
    os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", str(HEARTBEAT_S))
    # a name of its own, else every restart would leave a worker behind that seems to be there
    words = ["prefect", "worker", "start", "--pool", deploy.POOL, "--type", "process", "--name", platform.node()]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", *words])  # noqa: S606 (signals then reach the worker itself)


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        print(f"flows.worker: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
