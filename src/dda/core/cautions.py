"""What somebody should know of a detector before believing its scores, in sentences."""

from collections.abc import Mapping
from typing import Any

FEW = 100
"""Validation images of a class, below which probabilities and thresholds are rough."""


def cautions(description: Mapping[str, Any]) -> list[str]:
    """What a detector's description (detector.json) gives reason to say; none where there is none."""
    calibration = description["calibration"]
    if calibration["temperature"] is None:
        return [
            "This detector was never calibrated: its percentages are raw scores. They put images in an order, and say "
            "nothing about how often it is right."
        ]
    said = []
    fitted = calibration.get("fitted_on") or {}
    fewest = min(fitted.get("real", FEW), fitted.get("fake", FEW))
    if fewest < FEW and set(description.get("data") or ()) == {"tiny"}:
        said.append(
            "This is the demonstration detector, trained on a few photographs to show that everything works. On images "
            "that it does not know it is no better than a coin: do not believe its verdicts."
        )
    if fewest < FEW:
        said.append(
            f"Its percentages were calibrated on only {fitted.get('real', 0)} real and {fitted.get('fake', 0)} "
            "generated images: take them as rough."
        )
    return said
