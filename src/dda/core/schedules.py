"""How far an update goes, as the run goes on."""

import math
from collections.abc import Mapping
from typing import Any


def learning_rate(step: int, steps: int, settings: Mapping[str, Any]) -> float:
    """The factor of the learning rate, in [0, 1], at update `step` of 0 to `steps` - 1.

    A straight warm-up over the share `warm_up` of the run, then, by `kind`: `cosine`, one half wave down to zero at the
    end of the run; `oscillating`, down and up again for ever, each way `half_period` updates (the published code, whose
    schedule was set for 1,000 updates of a longer run); `constant`.
    """
    warm_up = round(float(settings["warm_up"]) * steps)
    if step < warm_up:
        return (step + 1) / warm_up
    if settings["kind"] == "constant":
        return 1.0
    length: int = settings["half_period"] if settings["kind"] == "oscillating" else max(1, steps - warm_up)
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / length))
