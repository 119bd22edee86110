"""The section `promote` of params.yaml: which detector is registered, and what it must show to become champion."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from dda.catalog.names import Detector
from dda.core import protocols
from dda.params.steps import Count, Section, Seed, Share


def _plain(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(f"must be of letters, digits, - and _, as it is part of addresses: {name!r}")
    return name


def _one(name: str) -> str:
    protocols.parse(name)
    return name


class Promote(Section):
    """What the promotion gate asks (core.gate); `required`: benchmarks that must be there, with smallest scores."""

    model: Annotated[str, AfterValidator(_plain)]
    detector: Detector
    protocol: Annotated[str, AfterValidator(_one)]
    required: Annotated[dict[str, Share], Field(min_length=1)]
    max_false_positive_rate: Share
    max_calibration_error: Share
    bootstrap_samples: Count
    seed: Seed
