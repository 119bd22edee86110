"""Detector networks: a timm backbone with one output, the logit of "fake"; large ones are adapted by LoRA."""

import copy
from collections.abc import Mapping
from typing import Any

from dda.core.errors import SetupError


def build_network(architecture: Mapping[str, Any], pretrained: bool = False) -> Any:
    """The network of a detector's row (`backbone`, `options`): images (N, 3, size, size) to logits (N, 1)."""
    import timm

    options = architecture.get("options", {})
    return timm.create_model(architecture["backbone"], pretrained=pretrained, num_classes=1, **options)


def adapt(network: Any, row: Mapping[str, Any]) -> Any:
    """The network to train, with all weights frozen but those that the row's `trains` names.

    `all`: the same network, nothing frozen. `head`: the same network, only the last linear layer learns. `lora`: a
    peft.PeftModel around it, of which the head and the adapters of `lora` learn: `rank`, `alpha` (they are scaled by
    alpha / rank), `targets` (a pattern of whole module names) and, where it is true, `dora`. Raises SetupError for
    anything else.
    """
    if row["trains"] == "lora":
        return _with_lora(network, row["lora"])
    if row["trains"] == "head":
        network.requires_grad_(False)
        network.get_classifier().requires_grad_(True)
    elif row["trains"] != "all":
        raise SetupError(f"`trains` of a detector is {row['trains']!r}, it must be all, head or lora")
    return network


def _with_lora(network: Any, lora: Mapping[str, Any]) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        target_modules=lora["targets"],
        use_dora=lora.get("dora", False),
        modules_to_save=[network.pretrained_cfg["classifier"]],
    )
    return get_peft_model(network, config)


def has_adapters(network: Any) -> bool:
    """Whether `adapt` has put adapters into a network."""
    return hasattr(network, "peft_config")


def merge_lora(network: Any) -> Any:
    """The plain network with its adapters added into its weights, as a copy; a network without any as it is.

    The network given goes on as it was, since adding adapters and taking them out again would change its last bits.
    """
    return copy.deepcopy(network).merge_and_unload() if has_adapters(network) else network


def adapter_weights(network: Any) -> dict[str, Any]:
    """Adapters and head of an adapted network, by the names that peft's own files give them."""
    from peft import get_peft_model_state_dict

    return dict(get_peft_model_state_dict(network, save_embedding_layers=False))


def load_adapter_weights(network: Any, weights: Mapping[str, Any]) -> None:
    """Put such weights into an adapted network. Raises SetupError where a name does not fit, or one is left without."""
    from peft import set_peft_model_state_dict

    wanted = adapter_weights(network)
    odd = sorted(wanted.keys() ^ weights.keys())
    if odd:
        raise SetupError(f"{len(odd)} tensors do not fit the network's adapters, the first is {odd[0]}")
    set_peft_model_state_dict(network, dict(weights))


def features_and_logits(network: Any, images: Any) -> tuple[Any, Any]:
    """Pooled features (N, D) before the head, of transformers the CLS token, and logits (N,), both in float32.

    One forward pass over normalised images (N, 3, size, size), with adapters or without.
    """
    plain = network.get_base_model() if has_adapters(network) else network
    features = plain.forward_head(plain.forward_features(images), pre_logits=True)
    return features.float(), plain.get_classifier()(features).squeeze(1).float()


def logits_of(network: Any, batch: Any) -> Any:
    """Logits (N,) in float32 of a normalised batch; above 0 is "fake"."""
    return network(batch).squeeze(1).float()
