"""The authors' checkpoint (arXiv 2505.14359): its tensors, named by torch.hub's DINOv2, as those of timm and peft."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dda.core.errors import SetupError
from dda.core.positions import resized

BACKBONE, HEAD, POSITIONS, CLS, REGISTERS = "base_model.model.", "base_model.fc.", "pos_embed", "cls_token", "reg_token"
NOT_NEEDED = f"{BACKBONE}mask_token"
ROWS = {384: "dinov2-s14", 768: "dinov2-b14", 1024: "dinov2-l14", 1536: "dinov2-g14"}
HUB_NAMES = {REGISTERS: "register_tokens", "fc1": "w12", "fc2": "w3"}  # timm's: the hub's; the last two of SwiGLU
ADAPTER = re.compile(re.escape(BACKBONE) + r"blocks\.\d+\.(.+)\.lora\.lora_([AB])")
Tensors = Mapping[str, Any]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Layout:
    """What the names and shapes of a checkpoint tell: row of the catalog, LoRA, and whether the backbone is in it."""

    row: str
    rank: int
    targets: str
    has_backbone: bool
    has_swiglu: bool


@dataclass(frozen=True)
class Converted:
    """Tensors by timm's names (`network`, without adapters) and by peft's (`adapter`: LoRA and head)."""

    network: dict[str, Any]
    adapter: dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a tensor of the checkpoint goes: its name there, its shape, and whether it belongs to the adapter."""

    name: str
    shape: tuple[int, ...]
    is_adapter: bool = False


def recognise(tensors: Tensors) -> Layout:
    """The layout of a checkpoint. Raises SetupError where it is not the published one, or of an unknown width."""
    matches = [match for name in tensors if (match := ADAPTER.fullmatch(name))]
    if not matches or not any(name.startswith(HEAD) for name in tensors):
        seen = ", ".join(sorted(tensors)[:3]) or "none"
        told = f"{BACKBONE}blocks.0.attn.qkv.lora.lora_A and {HEAD}weight"
        raise SetupError(f"it has not the published layout, with keys such as {told}; its first keys are: {seen}")
    ranks = {tensors[match[0]].shape[0 if match[2] == "A" else -1] for match in matches}
    if len(ranks) > 1:
        raise SetupError(f"its LoRA matrices have several ranks: {', '.join(map(str, sorted(ranks)))}")
    has_swiglu = any(".mlp.w12." in name or ".mlp.w3." in name for name in tensors)
    timm_names = {"w12": "fc1", "w3": "fc2"} if has_swiglu else {}
    kinds = sorted({re.sub(r"w12|w3", lambda found: timm_names[found[0]], match[1]) for match in matches})
    return Layout(
        row=_row(tensors),
        rank=int(ranks.pop()),
        targets=rf"blocks\.\d+\.({'|'.join(map(re.escape, kinds))})",
        has_backbone=any(_is_backbone(name) for name in tensors),
        has_swiglu=has_swiglu,
    )


def _is_backbone(name: str) -> bool:
    return name.startswith(BACKBONE) and not ADAPTER.fullmatch(name) and name != NOT_NEEDED


def _row(tensors: Tensors) -> str:
    """The row of the catalog, by the width of the embeddings; a file without its backbone has no registers to tell."""
    telling = (f"{BACKBONE}{CLS}", f"{BACKBONE}norm.weight", f"{HEAD}weight")
    width = next((tensors[name].shape[-1] for name in telling if name in tensors), None)
    if width not in ROWS:
        known = ", ".join(f"{size} ({row})" for size, row in ROWS.items())
        raise SetupError(f"its embeddings have {width or 'no'} dimensions. Known: {known}")
    return ROWS[width] + ("-reg" if f"{BACKBONE}register_tokens" in tensors else "")


def convert(tensors: Tensors, shapes: Shapes, layout: Layout) -> Converted:
    """The checkpoint for a network of timm whose tensors have these `shapes`, adapters apart.

    Position embeddings are resized as DINOv2's authors do. Where the file has no backbone, `network` holds the head
    only. Raises SetupError that names each key which is missing, left over or of another shape.
    """
    places = _places(shapes, layout)
    missing = [name for name in places if name not in tensors]
    left_over = [name for name in tensors if name not in places and name != NOT_NEEDED]
    wrong = [
        f"{name} {tuple(tensors[name].shape)} instead of {place.shape}"
        for name, place in places.items()
        if name in tensors and place.name != POSITIONS and tuple(tensors[name].shape) != place.shape
    ]
    told = [_told(missing, "missing"), _told(left_over, "left over"), _told(wrong, "of another shape")]
    if any(told):
        raise SetupError("; ".join(filter(None, told)))
    found = {place.name: tensors[name].float() for name, place in places.items() if not place.is_adapter}
    adapter = {place.name: tensors[name].float() for name, place in places.items() if place.is_adapter}
    adapter |= {f"base_model.model.{name}": tensor for name, tensor in found.items() if name.startswith("head.")}
    return Converted(_positioned(found, shapes), adapter)


def _told(names: Iterable[str], what: str, most: int = 20) -> str:
    """`2 keys missing: a, b`, at most so many by name; empty where there is none."""
    sorted_names = sorted(names)
    more = f" and {len(sorted_names) - most} more" if len(sorted_names) > most else ""
    word = "key" if len(sorted_names) == 1 else "keys"
    return f"{len(sorted_names)} {word} {what}: {', '.join(sorted_names[:most])}{more}" if sorted_names else ""


def _places(shapes: Shapes, layout: Layout) -> dict[str, Place]:
    """Every key that the checkpoint must have, and where its tensor goes."""
    places = {}
    for name, shape in shapes.items():
        module, _, kind = name.rpartition(".")
        is_adapted = re.fullmatch(layout.targets, module) is not None
        if module == "head":
            places[f"{HEAD}{kind}"] = Place(name, shape)
        elif layout.has_backbone:
            prefix = f"{_hub_name(module, layout)}." if module else ""
            prefix += "original_layer." if is_adapted else ""
            places[f"{BACKBONE}{prefix}{HUB_NAMES.get(kind, kind)}"] = Place(name, shape)
        if is_adapted and kind == "weight":
            matrices = {"A": (layout.rank, shape[1]), "B": (shape[0], layout.rank)}
            for letter, size in matrices.items():
                target = f"base_model.model.{module}.lora_{letter}.weight"
                source = f"{BACKBONE}{_hub_name(module, layout)}.lora.lora_{letter}"
                places[source] = Place(target, size, is_adapter=True)
    return places


def _hub_name(module: str, layout: Layout) -> str:
    *above, last = module.split(".")
    return ".".join([*above, HUB_NAMES.get(last, last) if layout.has_swiglu else last])


def _positioned(found: dict[str, Any], shapes: Shapes) -> dict[str, Any]:
    """The tensors with positions for the network's grid; with registers, timm has CLS's position within CLS itself."""
    if POSITIONS not in found:
        return found
    has_registers = REGISTERS in shapes
    embeddings = found[POSITIONS]
    if embeddings.dim() != 3 or (embeddings.shape[0], embeddings.shape[2]) != (1, shapes[POSITIONS][2]):
        raise SetupError(f"position embeddings of shape {tuple(embeddings.shape)} fit no network of this width")
    n_patches = shapes[POSITIONS][1] - (not has_registers)
    try:
        positions = resized(embeddings, n_patches, has_registers)
    except ValueError as error:
        raise SetupError(f"position embeddings of shape {tuple(embeddings.shape)}: {error}") from error
    if has_registers:
        return {**found, CLS: found[CLS] + positions[:, :1], POSITIONS: positions[:, 1:]}
    return {**found, POSITIONS: positions}
