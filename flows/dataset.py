"""The set: index, reconstruct, align, audit; pushed and published.    python -m flows.dataset"""

from pathlib import Path
from typing import Any

from prefect import flow

from dda import params as parameters
from flows import lateness, services, shown, stages
from flows.alone import alone

TARGET = "audit"


@flow(name="dataset", result_serializer="json")
def dataset(publish: bool = True) -> dict[str, Any]:
    """Make the aligned sets anew where anything changed, and share them; a set whose audit fails ends the run.

    A version that was not told yet is told as event `dataset.published`, which starts the deployment of `training`.
    """
    with alone("dataset"):
        lateness.cancel_missed()
        services.fetch()
        params = parameters.load(Path("params.yaml"))
        try:
            made = stages.bring([TARGET])
        finally:
            shown.audits(params.paths.audits)
        pushed = services.push()
        versions = {vae: services.publish(vae, params.paths) for vae in params.reconstruct.vaes} if publish else {}
    return {"made": made, "pushed": pushed, "published": {vae: version for vae, version in versions.items() if version}}


if __name__ == "__main__":
    dataset()
