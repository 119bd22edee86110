"""The section `train` of params.yaml: what is learnt, from which views, how far each update goes, and on what."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dda.catalog.names import Detectors, Vaes
from dda.params.steps import Count, Section, Seed, Share
from dda.params.views import Views

Beta = Annotated[float, Field(ge=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]


class Losses(Section):
    """What is minimised: a weighted sum. `contrastive` sees the features before the head, over one micro-batch."""

    bce: Weight
    contrastive: Weight
    positive_margin: Weight
    negative_margin: Weight

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.bce + self.contrastive == 0:
            raise ValueError("bce and contrastive are both 0: there is nothing to minimise")
        return self


class Optimiser(Section):
    """AdamW, and how far it goes in each update."""

    lr: Annotated[float, Field(gt=0)]
    betas: tuple[Beta, Beta]
    weight_decay: Weight
    max_grad_norm: Annotated[float, Field(gt=0)] | None
    adapters_twice: bool


class Schedule(Section):
    """The learning rate over the run: `cosine` to zero at its end, `oscillating` with a period, or `constant`."""

    kind: Literal["cosine", "oscillating", "constant"]
    warm_up: Share
    half_period: Count


class Selection(Section):
    """Which state of the network is kept: the best on the validation pairs, looked at so often."""

    validations_per_epoch: Count
    patience: Count | None


class Machine(Section):
    """How the work is spread over this machine; none of it changes what is learnt beyond the last digits."""

    processes: Count | Literal["auto"]
    loader_workers: Annotated[int, Field(ge=0, strict=True)] | Literal["auto"]
    gradient_checkpointing: bool
    compile: bool
    checkpoint_s: Annotated[float, Field(ge=0)]


class Train(Section):
    """Which detectors on which VAEs' pairs, and how."""

    detectors: Detectors
    vaes: Vaes
    seed: Seed
    epochs: Count
    draws_per_pair: Count
    batch_pairs: Count
    micro_batch_pairs: Count
    precision: Literal["float32", "bfloat16"]
    views: Views
    losses: Losses
    optimiser: Optimiser
    schedule: Schedule
    selection: Selection
    exports: tuple[Literal["onnx", "pt2"], ...]
    machine: Machine

    @model_validator(mode="after")
    def _whole_micro_batches(self) -> Self:
        if self.batch_pairs % self.micro_batch_pairs:
            raise ValueError(
                f"batch_pairs must be a multiple of micro_batch_pairs: {self.batch_pairs} of {self.micro_batch_pairs}"
            )
        return self
