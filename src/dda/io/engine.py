"""A network in training, on one CPU, one GPU or many: Hugging Face accelerate moves it, here is what an update is."""

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch.nn import Parameter

from dda.core import losses, schedules
from dda.core.networks import adapt, features_and_logits
from dda.core.seeds import fraction
from dda.core.windows import normalise
from dda.io import backbones, devices, loader

Settings = Mapping[str, Any]
Weights = dict[str, Any]


class Seeing(torch.nn.Module):
    """A detector's network with its normalisation: uint8 images (N, size, size, 3) to features (N, D), logits (N,)."""

    def __init__(self, network: Any, row: Settings) -> None:
        super().__init__()
        self.network, self.preprocessing, self.probes = network, row["preprocessing"], row["trains"] == "head"

    def train(self, mode: bool = True) -> "Seeing":
        """Learn, or judge; below a linear probe the statistics stay those of the published network, too."""
        return super().train(mode and not self.probes)

    def forward(self, images: Any) -> tuple[Any, Any]:
        """One pass."""
        seen = normalise(images, self.preprocessing["mean"], self.preprocessing["std"])
        return features_and_logits(self.network, seen)


@dataclass(frozen=True)
class Update:
    """What one update showed: the mean loss over its pairs, and the length of the gradient before it was cut."""

    loss: float
    grad_norm: float

    @property
    def finite(self) -> bool:
        """Whether both are numbers."""
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)


@dataclass
class Engine:
    """A network, its optimiser, and the processes that share the work. `settings` is the section `train`."""

    accelerator: Accelerator
    seeing: Any
    optimiser: Any
    settings: Settings

    @property
    def network(self) -> Any:
        """The detector's network as it is."""
        return self._whole().network

    def update(self, step: int, steps: int, micro_batches: Sequence[Any]) -> Update:
        """One update from this process's micro-batches (uint8 images, some may be empty); the same in every process.

        Nothing moves where the loss or the gradient is no number.
        """
        self.optimiser.zero_grad()
        n_images = self._sum(float(sum(len(images) for images in micro_batches)))
        shares = []
        for number, images in enumerate(micro_batches):
            torch.manual_seed(_seed(self.settings["seed"], step, number, self.accelerator.process_index))
            last = number == len(micro_batches) - 1
            with contextlib.nullcontext() if last else self.accelerator.no_sync(self.seeing):
                shares.append(self._backward(images, n_images))
        limit = self.settings["optimiser"]["max_grad_norm"] or math.inf
        norm = self.accelerator.clip_grad_norm_(list(_trained(self.network)), limit)
        done = Update(self._sum(float(sum(shares))), float(norm))
        if done.finite:
            self._set_rate(schedules.learning_rate(step, steps, self.settings["schedule"]))
            self.optimiser.step()
        return done

    @property
    def input_px(self) -> int:
        """The side of the square images that the network sees."""
        return int(self._whole().preprocessing["input_px"])

    @property
    def rate(self) -> float:
        """The learning rate of the last update."""
        return float(self.optimiser.param_groups[0]["lr"])

    def judge(self, batches: Any) -> list[float]:
        """Logits of this process's batches (uint8 images), in their order."""
        whole = self._whole().eval()
        if self.accelerator.num_processes > 1:
            for buffer in whole.buffers():  # statistics of the first process, in all
                torch.distributed.broadcast(buffer, 0)
        logits: list[float] = []
        with torch.inference_mode():
            for images in batches:
                logits += whole(images.to(self.accelerator.device, non_blocking=True))[1].float().cpu().tolist()
        return logits

    def gathered(self, values: list[Any]) -> list[list[Any]]:
        """Each process's values, in the processes' order, in every process."""
        if self.accelerator.num_processes == 1:
            return [values]
        lists: list[Any] = [None] * self.accelerator.num_processes
        torch.distributed.all_gather_object(lists, values)
        return lists

    def weights(self) -> Weights:
        """A copy on the CPU of what training moves: trained weights, and statistics."""
        return _copied(_moving(self.network))

    def take_weights(self, weights: Weights) -> None:
        """Put a copy that `weights` gave into the network."""
        for name, tensor in _moving(self.network).items():
            tensor.data.copy_(weights[name])

    def state(self) -> dict[str, Any]:
        """All that an interrupted run needs to go on: weights and statistics, and the optimiser."""
        return {"moving": self.weights(), "optimiser": self.optimiser.state_dict()}

    def take_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self.take_weights(state["moving"])
        self.optimiser.load_state_dict(state["optimiser"])

    def _backward(self, images: Any, n_images: float) -> Any:
        """A micro-batch's share of the update's gradient; its share of the loss."""
        empty = not len(images)
        if empty:  # the processes wait for one another at the end of every pass: this one takes part, counts nothing
            images = torch.zeros(2, self.input_px, self.input_px, 3, dtype=torch.uint8)
        self.seeing.train(not empty)  # nothing seen, no statistics
        images = images.to(self.accelerator.device, non_blocking=True)
        labels = loader.labels(len(images)).to(images.device)
        features, logits = self.seeing(images)
        share = 0.0 if empty else len(images) / n_images
        loss = losses.total(features.float(), logits.float(), labels, self.settings["losses"]) * share
        self.accelerator.backward(loss * self.accelerator.num_processes)  # whose gradients are averaged, not summed
        return loss.detach()

    def _whole(self) -> Any:
        """The module without what distributes and compiles it."""
        return self.accelerator.unwrap_model(self.seeing, keep_torch_compile=False)

    def _sum(self, value: float) -> float:
        if self.accelerator.num_processes == 1:
            return value
        given = torch.tensor(value, dtype=torch.float64, device=self.accelerator.device)
        return float(self.accelerator.reduce(given, reduction="sum"))

    def _set_rate(self, factor: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings["optimiser"]["lr"] * factor


def start(row: Settings, settings: Settings) -> Engine:
    """An engine at its first step: the network of a detector's row, with seeded weights, on this process's device."""
    device = devices.best()
    if device != "cuda":  # which leaves the choice to accelerate: each of several processes gets a GPU of its own
        os.environ["ACCELERATE_TORCH_DEVICE"] = device
    AcceleratorState._reset_state()  # of a training before this one in the same process, with other settings
    accelerator = Accelerator(
        mixed_precision="bf16" if settings["precision"] == "bfloat16" else "no",
        cpu=device.startswith("cpu"),
        dynamo_backend="inductor" if settings["machine"]["compile"] else "no",
        step_scheduler_with_optimizer=False,
    )
    torch.set_float32_matmul_precision("high")  # TF32 on a GPU
    torch.manual_seed(settings["seed"])
    network = adapt(backbones.build(row), row)
    if settings["precision"] == "bfloat16":
        _cast_once(network)
    if settings["machine"]["gradient_checkpointing"]:
        network.set_grad_checkpointing()
    optimiser = _optimiser(network, settings["optimiser"], accelerator.device.type)
    seeing, optimiser = accelerator.prepare(Seeing(network, row), optimiser)
    return Engine(accelerator, seeing, optimiser, settings)


def _cast_once(network: Any) -> None:
    """Let autocast alone choose the precision of what adapters see, which changes no bit of the result.

    peft would make it float32 first: more bytes than all other casts. DoRA takes norms in that precision, and keeps it.
    """
    for layer in network.modules():
        if hasattr(layer, "lora_A") and not layer.lora_variant:
            layer.cast_input_dtype_enabled = False


def _optimiser(network: Any, settings: Settings, device_type: str) -> Any:
    trained = list(_trained(network))
    if settings["adapters_twice"]:  # as published: the list holds them twice, and each update moves them twice
        trained += [weight for name, weight in network.named_parameters() if "lora_" in name and weight.requires_grad]
    alone: dict[str, Any] = {"foreach": False} if settings["adapters_twice"] else {"fused": device_type == "cuda"}
    rates = {name: settings[name] for name in ("lr", "betas", "weight_decay")}
    return torch.optim.AdamW(trained, **rates, **alone)


def _trained(network: Any) -> Iterator[Any]:
    return (weight for weight in network.parameters() if weight.requires_grad)


def _moving(network: Any) -> Weights:
    """Trained weights and running statistics by their names; what is frozen stays what it was."""
    named = network.state_dict(keep_vars=True)
    return {name: tensor for name, tensor in named.items() if tensor.requires_grad or not isinstance(tensor, Parameter)}


def _copied(tensors: Weights) -> Weights:
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}


def _seed(seed: int, *place: int) -> int:
    """For what a pass draws (dropout): by its place, so that a run that goes on draws what it would have drawn."""
    return int(fraction(seed, "pass", *map(str, place)) * 2**53)
