"""All that a report knows of one detector on one benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dda.core import curves
from dda.core.cases import NATIVE, Case
from dda.core.curves import Values


@dataclass(frozen=True)
class Findings:
    """Tables of predictions and their summaries (core.scores), by protocol in the order of a report; digests; pictures.

    `worst` has the worst mistakes by kind, with a small picture in each row.
    """

    detector: str
    benchmark: str
    tables: Mapping[str, Any]
    summaries: Mapping[str, Mapping[str, Any]]
    temperature: float | None
    data_digest: str
    detector_digest: str
    worst: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def protocol(self) -> str:
        """The one that plots show: `native`, or the first where nobody asked for that."""
        return NATIVE if NATIVE in self.tables else next(iter(self.tables))

    @property
    def name(self) -> str:
        """`embedded on genimage`."""
        return str(Case(self.detector, self.benchmark, self.protocol))

    @property
    def summary(self) -> Mapping[str, Any]:
        """That of `protocol`."""
        return self.summaries[self.protocol]

    @cached_property
    def judged(self) -> tuple[Values, Values]:
        """Labels and logits of the images that could be judged, under `protocol`."""
        table = self.tables[self.protocol].dropna(subset=["logit"])
        return table["label"].to_numpy(int), table["logit"].to_numpy(float)

    @property
    def has_both(self) -> bool:
        """Whether real and fake were judged."""
        return bool(self.summary["n_real"] and self.summary["n_fake"])

    def curves(self) -> dict[str, Any]:
        """Columns of points by what they draw: `roc`, `scores`, `reliability`; those that need a class it has not, not.

        A set whose images are all unreadable has none.
        """
        labels, logits = self.judged
        found: dict[str, Any] = {"scores": curves.histogram(labels, logits)} if len(logits) else {}
        if self.has_both:
            found["roc"] = curves.roc(labels, logits)
            found["reliability"] = curves.reliability(labels, logits, self.temperature or 1.0)
        return found

    def robustness(self) -> list[dict[str, Any]]:
        """Points of all protocols (core.curves.robustness)."""
        return curves.robustness(self.summaries)
