"""The whole pipeline as one Prefect flow.    python -m flows.pipeline [STAGE...]"""

import sys

from prefect import flow, get_run_logger

from flows.stages import bring_up_to_date, levels, out_of_date


@flow(name="pipeline")
def pipeline(targets: list[str] | None = None) -> None:
    """Bring the named stages (all, if none is named) and what they need up to date, level by level."""
    for group in levels(targets or []):
        runs = [bring_up_to_date.submit(stage) for stage in group]
        for run in runs:
            run.result()  # a stage that failed fails the flow here
    stale = {} if targets else out_of_date()
    if stale:
        raise RuntimeError(f"still out of date after the run: {', '.join(stale)}")
    get_run_logger().info("everything is up to date")


if __name__ == "__main__":
    pipeline(sys.argv[1:])
