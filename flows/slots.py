"""The GPU slot: stages that need a GPU hold it, so that two never share one."""

from contextlib import AbstractContextManager, suppress

from prefect import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists

GPU = "gpu"
LEASE_S = 300.0  # a holder that was killed blocks the slot no longer than this


def ensure() -> None:
    """Make the slot where it does not exist; one that exists keeps its limit, which somebody may have chosen."""
    with get_client(sync_client=True) as client:
        if GPU in {limit.name for limit in client.read_global_concurrency_limits(limit=200, offset=0)}:
            return
        with suppress(ObjectAlreadyExists):  # another flow was quicker
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=GPU, limit=1))


def gpu() -> AbstractContextManager[None]:
    """Hold the slot; waits until it is free. Raises ConcurrencySlotAcquisitionError where the slot does not exist.

    A server that is away when the lease is to be renewed does not end a stage that ran for hours: the log warns.
    """
    return concurrency(GPU, strict=True, lease_duration=LEASE_S, raise_on_lease_renewal_failure=False)
