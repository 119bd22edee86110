"""Runs that were missed while no worker was there: one is done, the others would find nothing new."""

from datetime import UTC, datetime

from prefect import get_client, get_run_logger
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled


def cancel_missed() -> int:
    """Cancel the other runs of this deployment whose time has come; how many.

    A worker that comes back after a weekend finds every run that was scheduled meanwhile, and `CANCEL_NEW` is no
    help: the pool gives them to it one after the other. Runs that somebody asked for, or with other parameters, stay. A
    run without a deployment cancels nothing.
    """
    if not deployment.id or not flow_run.id:
        return 0
    due = FlowRunFilter(
        id=FlowRunFilterId(not_any_=[flow_run.id]),
        expected_start_time=FlowRunFilterExpectedStartTime.model_validate({"before_": datetime.now(UTC)}),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
    )
    same = DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id]))
    with get_client(sync_client=True) as client:
        order = FlowRunSort.EXPECTED_START_TIME_ASC
        found = client.read_flow_runs(flow_run_filter=due, deployment_filter=same, sort=order)
        missed = [run for run in found if run.auto_scheduled and run.parameters == flow_run.parameters]
        for run in missed:
            state: State[None] = Cancelled(
                name="Missed", message=f"its time had passed; run {flow_run.id} does the same work"
            )
            client.set_flow_run_state(run.id, state)
    if missed:
        get_run_logger().warning("%d runs were missed while no worker was there; this one does their work", len(missed))
    return len(missed)
