"""Position embeddings of DINOv2 for another input size, to the last bit as its authors resize them."""

from typing import Any

OFFSET = 0.1


def resized(embeddings: Any, n_patches: int, has_registers: bool) -> Any:
    """Embeddings (1, 1 + grid * grid, width) in float32 for another square of `n_patches`; the first is CLS's.

    Bicubic. Networks without registers scale by (side + 0.1) / grid, without smoothing; those with registers go to the
    size itself, smoothed (facebookresearch/dinov2: models/vision_transformer.py and the defaults of hub/backbones.py).
    timm does neither. Raises ValueError where the embeddings, or the patches, are no square.
    """
    import torch

    grid, side = _side(embeddings.shape[1] - 1), _side(n_patches)
    cls, patches = embeddings[:, :1].float(), embeddings[:, 1:].float()
    if grid != side:
        square = patches.reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
        target: dict[str, Any] = {"scale_factor": (float(side + OFFSET) / grid,) * 2}
        if has_registers:
            target = {"size": (side, side), "antialias": True}
        square = torch.nn.functional.interpolate(square, mode="bicubic", **target)
        patches = square.permute(0, 2, 3, 1).reshape(1, n_patches, -1)
    return torch.cat([cls, patches], dim=1)


def _side(n: int) -> int:
    side = int(n**0.5 + 0.5)
    if side * side != n or n < 1:
        raise ValueError(f"{n} patches are no square")
    return side
