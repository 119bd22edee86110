"""Prefect flows: when and where the pipeline runs. What runs, and in which order, stands in dvc.yaml.

The flows: dataset, training, evaluation, release, nightly. What they do: stages (of DVC) by graph, commands, leash and
slots; services (steps outside DVC) with receipts; checkout, alone, lateness, shown. Who runs them: deploy, worker. The
local services: serve, health, supervision.
"""

import os

from dda import quiet

quiet.apply()  # before Prefect is imported
if not os.environ.get("PREFECT_API_URL"):
    os.environ.pop("PREFECT_API_URL", None)  # set to nothing, every event would fail, with a traceback
# Leases of slots on the disk: by default a server keeps them in memory, and a slot held when it restarts is never free.
os.environ.setdefault("PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE", "prefect.server.concurrency.lease_storage.filesystem")
