"""Detector networks: a timm backbone with one output, the logit of "fake"; large ones are adapted by LoRA."""

from collections.abc import Mapping
from typing import Any


def build_network(architecture: Mapping[str, Any], pretrained: bool = False) -> Any:
    """The network of a detector's row (`backbone`, `options`): images (N, 3, size, size) to logits (N, 1)."""
    import timm

    options = architecture.get("options", {})
    return timm.create_model(architecture["backbone"], pretrained=pretrained, num_classes=1, **options)


def add_lora(network: Any, lora: Mapping[str, Any] | None) -> Any:
    """The network with its weights frozen but for LoRA adapters and the head, or as it is where `lora` is None.

    `lora` has `rank`, `alpha` (the adapters are scaled by alpha / rank) and `targets`, a pattern of whole module names.
    """
    if lora is None:
        return network
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=lora["rank"], lora_alpha=lora["alpha"], target_modules=lora["targets"], modules_to_save=["head"]
    )
    return get_peft_model(network, config)


def merge_lora(network: Any) -> Any:
    """The plain network with its adapters added into its weights: same logits, no trace of the adapters."""
    return network.merge_and_unload() if hasattr(network, "merge_and_unload") else network


def logits_of(network: Any, batch: Any) -> Any:
    """Logits (N,) in float32 of a normalised batch; above 0 is "fake"."""
    return network(batch).squeeze(1).float()
