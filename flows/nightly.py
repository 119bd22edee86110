"""The whole line, each part only where it has anything to do.    python -m flows.nightly"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger

from dda import params as parameters
from flows import checkout, dataset, evaluation, graph, lateness, services, training
from flows.alone import alone
from flows.release import release as release_flow

NOTHING = "nothing to do"


@flow(name="nightly", result_serializer="json")
def nightly(release: bool = True) -> dict[str, Any]:
    """Set, detectors, numbers and gate, in this order; then all is pushed, and committed where DDA_BRANCH is set."""
    with alone("nightly"):
        lateness.cancel_missed()
        services.fetch()
        stale: dict[str, Any] = graph.out_of_date()
        done: dict[str, Any] = {}
        for part, flow_of, left in parts():
            if left() or graph.due([part.TARGET], stale):
                done[part.__name__.rpartition(".")[2]] = flow_of()
                stale = graph.out_of_date()
        if release and not services.is_judged():
            done["release"] = release_flow()
        for name in ("dataset", "training", "evaluation", "release"):
            if name not in done:
                get_run_logger().info("%s: %s", name, NOTHING)
        pushed = services.push()
        saved = checkout.save("Nightly: what was made")
        get_run_logger().info("%s", saved)
    return {name: done.get(name, NOTHING) for name in ("dataset", "training", "evaluation", "release")} | {
        "pushed": pushed,
        "saved": saved,
    }


def parts() -> list[tuple[Any, Callable[[], Any], Callable[[], bool]]]:
    """Modules of flows that bring stages up to date, each with its flow, and whether a step outside DVC is left."""
    params = parameters.load(Path("params.yaml"))
    published = [services.is_published(vae, params.paths) for vae in params.reconstruct.vaes]
    return [
        (dataset, dataset.dataset, lambda: not all(published)),
        (training, training.training, lambda: False),  # what was trained and not registered, evaluation registers
        (evaluation, evaluation.evaluation, lambda: not services.is_registered()),
    ]


if __name__ == "__main__":
    nightly()
