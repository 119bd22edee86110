"""Detectors: train, and register the one of `promote.detector` as challenger.    python -m flows.training"""

from pathlib import Path
from typing import Any

from prefect import flow

from dda import params as parameters
from flows import lateness, services, shown, stages
from flows.alone import alone

TARGET = "train"


@flow(name="training", result_serializer="json")
def training() -> dict[str, Any]:
    """Train the detectors anew where anything that they learn from changed, and register."""
    with alone("training"):
        lateness.cancel_missed()
        services.fetch()
        made = stages.bring([TARGET])
        shown.training(parameters.load(Path("params.yaml")).paths.detectors)
        services.register()
    return {"made": made}


if __name__ == "__main__":
    training()
