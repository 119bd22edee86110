"""Fit the embedded VAE on the embedded photographs alone.    python -m dda.embedded.fit --judge FOLDER_OF_PHOTOS

Writes the diffusers folder that the catalog's row `tiny` loads, and beside it `recipe.json`: how it was made and
what it reaches. The photos given to --judge are only looked at after the last step; nothing is chosen by them.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from dda.core.reconstruction import RoundTrip, psnr, reconstruct
from dda.embedded.photos import PHOTOGRAPHS, originals

FOLDER = Path(__file__).parent / "tiny"
TRIP = RoundTrip(stride=4, latent_channels=4)
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights, but for the machine's arithmetic."""

    width: int = 48
    latent_channels: int = 4
    steps: int = 3000
    batch: int = 16
    crop_px: int = 64
    learning_rate: float = 2e-3
    warm_up_steps: int = 100
    average_decay: float = 0.995
    scales: tuple[float, ...] = (1.0, 0.75, 0.5, 0.35)
    seed: int = 0


def build(recipe: Recipe) -> Any:
    """An AutoencoderTiny of stride 4: two halvings, the blocks at half and quarter size, none at full size."""
    from diffusers import AutoencoderTiny

    channels = (recipe.width,) * 3
    return AutoencoderTiny(
        encoder_block_out_channels=channels,
        decoder_block_out_channels=channels,
        num_encoder_blocks=(0, 2, 3),
        num_decoder_blocks=(3, 2, 0),
        latent_channels=recipe.latent_channels,
    )


def scaled_photos(scales: tuple[float, ...], smallest_px: int) -> list[Array]:
    """Every embedded photograph at every scale that keeps its shorter side at `smallest_px`; uint8 (H, W, 3)."""
    photos = []
    for picture in (picture for photograph in PHOTOGRAPHS for picture in originals(photograph)):
        for scale in scales:
            size = (round(picture.width * scale), round(picture.height * scale))
            if min(size) >= smallest_px:
                photos.append(np.asarray(picture.resize(size, Image.Resampling.LANCZOS)))
    return photos


def random_crop(photos: list[Array], crop_px: int, rng: np.random.Generator) -> Array:
    """A crop, turned, mirrored, its colours swapped and contrast changed at random: (crop, crop, 3) in [0, 1]."""
    photo = photos[rng.integers(len(photos))]
    top = rng.integers(photo.shape[0] - crop_px + 1)
    left = rng.integers(photo.shape[1] - crop_px + 1)
    crop = photo[top : top + crop_px, left : left + crop_px].astype(np.float32) / 255
    crop = np.rot90(crop, int(rng.integers(4)))
    crop = crop[:, ::-1] if rng.random() < 0.5 else crop
    crop = crop[..., rng.permutation(3)]
    crop = 1 - crop if rng.random() < 0.3 else crop
    low, high = rng.uniform(0, 0.25), rng.uniform(0.75, 1)
    return np.ascontiguousarray(low + (high - low) * crop ** rng.uniform(0.7, 1.4))


def learning_rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then one cosine down to zero at the last step."""
    warm_up = min(1.0, (step + 1) / recipe.warm_up_steps)
    return recipe.learning_rate * warm_up * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))


def fit(recipe: Recipe) -> Any:
    """The fitted VAE (weights averaged over the last steps), trained on the mean squared error of random crops."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    photos = scaled_photos(recipe.scales, recipe.crop_px)
    vae = build(recipe).to(memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        vae,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average_decay),
    )
    optimiser = torch.optim.AdamW(vae.parameters(), weight_decay=0.0)
    started = time.monotonic()
    for step in range(recipe.steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, recipe)
        crops = np.stack([random_crop(photos, recipe.crop_px, rng) for _ in range(recipe.batch)])
        loss = train_step(vae, optimiser, crops)
        average.update_parameters(vae)
        if step % 50 == 0:
            quality = -10 * math.log10(loss / 4)  # the model works in [-1, 1]: a range of 2
            print(
                f"step {step:5d}  psnr of the batch {quality:.2f} dB  {time.monotonic() - started:.0f} s",
                flush=True,
            )
    return average.module


def train_step(vae: Any, optimiser: Any, crops: Array) -> float:
    """One update on a batch of crops (N, H, W, 3) in [0, 1]; the loss it had, in units of the [-1, 1] range squared."""
    batch = torch.from_numpy(crops).permute(0, 3, 1, 2).mul(2).sub(1).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        output = vae.decode(vae.encode(batch).latents).sample
    loss = torch.nn.functional.mse_loss(output.float(), batch)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
    optimiser.step()
    return loss.item()


def mean_psnr(vae: Any, photos: list[Array]) -> float:
    """Mean over the photos of the PSNR in dB between each and its rounded reconstruction."""
    return float(np.mean([psnr(photo, reconstruct(vae, photo[None], TRIP)[0]) for photo in photos]))


def main() -> None:
    """Fit, judge, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--judge",
        type=Path,
        help="photos that the fit never sees, to measure on at the end",
    )
    parser.add_argument("--output", type=Path, default=FOLDER)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    arguments = parser.parse_args()
    recipe = Recipe(steps=arguments.steps)
    started = time.monotonic()
    vae = fit(recipe)
    vae.save_pretrained(arguments.output)
    facts: dict[str, Any] = {
        "recipe": asdict(recipe),
        "fit_seconds": round(time.monotonic() - started),
    }
    facts["psnr_db_on_embedded_photos"] = round(mean_psnr(vae, scaled_photos((1.0,), 1)), 2)
    if arguments.judge:
        judged = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(arguments.judge.glob("*.jpg"))]
        facts["psnr_db_on_unseen_photos"] = round(mean_psnr(vae, judged), 2)
        facts["unseen_photos"] = f"{len(judged)} photos of {arguments.judge.name}"
    (arguments.output / "recipe.json").write_text(json.dumps(facts, indent=2) + "\n")
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
