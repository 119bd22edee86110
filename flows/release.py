"""The gate: the challenger becomes champion, or the reasons why not.    python -m flows.release"""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows import lateness, services, shown
from flows.alone import alone


@flow(name="release", result_serializer="json")
def release(version: str = "challenger") -> "State[dict[str, Any]]":
    """Ask the gate. A refusal is a run that did its work; rolled back, after a failed smoke test, one that failed."""
    with alone("release"):
        lateness.cancel_missed()
        told = services.promote(version)
    shown.verdict(told)
    told = {"outcome": told["outcome"], "version": told.get("version"), "reasons": told.get("reasons", [])}
    words = f"version {told['version']}: {told['outcome']}" + "".join(f"\n- {one}" for one in told["reasons"])
    if told["outcome"] == "rolled back":
        return Failed(name="RolledBack", message=words)
    return Completed(name=told["outcome"].capitalize(), message=words, data=told)


if __name__ == "__main__":
    release()
