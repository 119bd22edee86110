"""Checkpoints in the authors' published layout, of random numbers, and the forward pass that they describe."""

import torch
from safetensors.torch import save_file
from torch.nn.functional import conv2d, gelu, interpolate, layer_norm, linear, scaled_dot_product_attention

TARGETS = {"attn.qkv": (3, 1), "attn.proj": (1, 1), "mlp.fc1": (4, 1), "mlp.fc2": (1, 4)}
MODEL = "base_model.model."


def normal(*shape, std):
    return torch.randn(*shape) * std


def layer_of_norm(width):
    return {"weight": 1 + normal(width, std=0.1), "bias": normal(width, std=0.1)}


def published(width=384, depth=12, rank=8, grid=37, seed=0):
    """Tensors by the published names: backbone, LoRA with A and B that are not zero, head, and the mask token."""
    torch.manual_seed(seed)
    found = {
        "cls_token": normal(1, 1, width, std=0.5),
        "pos_embed": normal(1, 1 + grid * grid, width, std=0.5),
        "mask_token": torch.zeros(1, width),
        "patch_embed.proj.weight": normal(width, 3, 14, 14, std=0.04),
        "patch_embed.proj.bias": normal(width, std=0.1),
        **{f"norm.{name}": tensor for name, tensor in layer_of_norm(width).items()},
    }
    for i in range(depth):
        block = f"blocks.{i}."
        for norm in ("norm1", "norm2"):
            found |= {f"{block}{norm}.{name}": tensor for name, tensor in layer_of_norm(width).items()}
        found |= {f"{block}{scale}.gamma": 1 + normal(width, std=0.1) for scale in ("ls1", "ls2")}
        for layer, (n_out, n_in) in TARGETS.items():
            found |= {
                f"{block}{layer}.original_layer.weight": normal(
                    n_out * width, n_in * width, std=(n_in * width) ** -0.5
                ),
                f"{block}{layer}.original_layer.bias": normal(n_out * width, std=0.1),
                f"{block}{layer}.lora.lora_A": normal(rank, n_in * width, std=(n_in * width) ** -0.5),
                f"{block}{layer}.lora.lora_B": normal(n_out * width, rank, std=1.0),
            }
    head = {"base_model.fc.weight": normal(1, width, std=0.1), "base_model.fc.bias": normal(1, std=0.1)}
    return {f"{MODEL}{name}": tensor for name, tensor in found.items()} | head


def without_backbone(tensors):
    return {name: tensor for name, tensor in tensors.items() if ".lora." in name or name.startswith("base_model.fc.")}


def write_cache(folder, backbone, tensors):
    """Weights as the hub's cache would have them, of a network that timm publishes."""
    repository = folder / f"models--timm--{backbone}"
    snapshot = repository / "snapshots" / ("0" * 40)
    for place in (snapshot, repository / "refs"):
        place.mkdir(parents=True)
    (repository / "refs/main").write_text("0" * 40)
    save_file(tensors, snapshot / "model.safetensors")


def forward(tensors, images, alpha=1.0):
    """Logits (N,) of normalised images (N, 3, 336, 336): DINOv2's forward pass as published, in plain torch."""
    own = {name.removeprefix(MODEL): tensor for name, tensor in tensors.items()}
    width = own["cls_token"].shape[-1]
    depth = 1 + max(int(name.split(".")[1]) for name in own if name.startswith("blocks."))

    def norm(x, name):
        return layer_norm(x, (width,), own[f"{name}.weight"], own[f"{name}.bias"], eps=1e-6)

    def dense(x, name):
        a, b = own[f"{name}.lora.lora_A"], own[f"{name}.lora.lora_B"]
        plain = linear(x, own[f"{name}.original_layer.weight"], own[f"{name}.original_layer.bias"])
        return plain + (x @ a.T) @ b.T * (alpha / a.shape[0])

    def attention(x, name):
        n, length, _ = x.shape
        q, k, v = dense(x, f"{name}.qkv").reshape(n, length, 3, width // 64, 64).permute(2, 0, 3, 1, 4)
        return dense(scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, length, width), f"{name}.proj")

    x = conv2d(images, own["patch_embed.proj.weight"], own["patch_embed.proj.bias"], stride=14)
    side = x.shape[-1]
    x = torch.cat([own["cls_token"].expand(len(images), -1, -1), x.flatten(2).transpose(1, 2)], dim=1)
    positions = own["pos_embed"]
    square = positions[:, 1:].reshape(1, 37, 37, width).permute(0, 3, 1, 2)
    square = interpolate(square, scale_factor=((side + 0.1) / 37,) * 2, mode="bicubic", align_corners=False)
    x = x + torch.cat([positions[:, :1], square.permute(0, 2, 3, 1).reshape(1, side * side, width)], dim=1)
    for i in range(depth):
        block = f"blocks.{i}"
        x = x + own[f"{block}.ls1.gamma"] * attention(norm(x, f"{block}.norm1"), f"{block}.attn")
        hidden = gelu(dense(norm(x, f"{block}.norm2"), f"{block}.mlp.fc1"))
        x = x + own[f"{block}.ls2.gamma"] * dense(hidden, f"{block}.mlp.fc2")
    return linear(norm(x[:, 0], "norm"), own["base_model.fc.weight"], own["base_model.fc.bias"]).squeeze(1)
