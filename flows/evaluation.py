"""Numbers: every detector on every benchmark, and the report.    python -m flows.evaluation"""

from pathlib import Path
from typing import Any

from prefect import flow

from dda import params as parameters
from flows import lateness, services, shown, stages
from flows.alone import alone

TARGET = "report"


@flow(name="evaluation", result_serializer="json")
def evaluation() -> dict[str, Any]:
    """Judge what is not judged yet, report, complete the registered version, and push."""
    with alone("evaluation"):
        lateness.cancel_missed()
        services.fetch()
        made = stages.bring([TARGET])
        shown.results(parameters.load(Path("params.yaml")).paths.reports)
        services.register()
        pushed = services.push()
    return {"made": made, "pushed": pushed}


if __name__ == "__main__":
    evaluation()
