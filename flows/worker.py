"""A worker: runs what is due, in the clone that it is started from.    python -m flows.worker"""

import os
import platform
import sys
from pathlib import Path

from prefect.settings import get_current_settings

from dda.core.errors import SetupError
from flows import deploy

HEARTBEAT_S = 30


def main() -> int:
    """Make the pool where there is none, and become Prefect's worker; exit status 2 where no server is named."""
    if not get_current_settings().api.url:
        told = SetupError("PREFECT_API_URL is not set: a worker needs a server; `make services` starts one")
        print(f"flows.worker: {told}", file=sys.stderr)
        return told.exit_status
    deploy.pool()
    os.environ.setdefault("DDA_CHECKOUT", str(Path.cwd()))
    os.environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", str(HEARTBEAT_S))
    # a name of its own, else every restart would leave a worker behind that seems to be there
    words = ["prefect", "worker", "start", "--pool", deploy.POOL, "--type", "process", "--name", platform.node()]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", *words])


if __name__ == "__main__":
    sys.exit(main())
