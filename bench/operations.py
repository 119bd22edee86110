"""Floating-point operations: how many a network's passes take, and how many a device does a second at best.

A product of two matrices, or a convolution, counts two for each multiplication. Nothing else counts, and neither does
what is computed a second time. A backward pass is counted as it is: frozen weights get no gradient.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

SIZES = {"cuda": (4096, 8192), "cpu": (1024, 2048)}
PRODUCTS = {"cuda": 20, "cpu": 1}  # between two looks at the clock
LOOKS = 8


def peak(name: str, precision: str) -> float:
    """Operations a second of a product of two square matrices on a device: the best of several sizes and times."""
    import torch

    device, dtype, best = torch.device(name), getattr(torch, precision), 0.0
    torch.set_float32_matmul_precision("high")  # as the engine
    for size in SIZES[device.type]:
        first, second = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        for _ in range(1 + LOOKS):  # the first one warms up: a later one beats it
            began = now(device)
            for _ in range(PRODUCTS[device.type]):
                first @ second
            best = max(best, PRODUCTS[device.type] * 2 * size**3 / (now(device) - began))
    return best


def of_an_image(build: Callable[[Any], Any], row: Mapping[str, Any]) -> dict[str, float]:
    """Of an image's pass `forward`, and of its pass `backward`, through a detector's network without memory."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    side = row["preprocessing"]["input_px"]
    with torch.device("meta"):
        network, images = build(row).train(), torch.empty(2, 3, side, side)
    with sdpa_kernel(SDPBackend.MATH):  # fused attention computes some products twice in its backward pass
        with FlopCounterMode(display=False) as forward:
            logits = network(images)
        with FlopCounterMode(display=False) as backward:
            logits.sum().backward()
    return {"forward": forward.get_total_flops() / 2, "backward": backward.get_total_flops() / 2}


def now(device: Any) -> float:
    """The clock, once the device has done all that it was given."""
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)
    return time.perf_counter()
