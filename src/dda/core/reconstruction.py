"""A photo through a VAE and back, at its own size: fit to the stride, encode, decode, round, cut back.

`Dec(Enc(x))` of the paper, section 3, with nothing else: factors and shifts that a family applies between encoder and
denoiser are undone before its decoder, so they cancel and are never applied.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dda.core.seeds import generator

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class RoundTrip:
    """All that decides a reconstruction's pixels, beside the photo, the weights and their precision.

    Sides in pixels; `tile_px` and `overlap_px` are multiples of the stride.
    """

    stride: int
    latent_channels: int
    time_axis: bool = False
    fit: str = "pad"
    posterior: str = "mode"
    seed: int = 0
    tile_above_pixels: int = 4_000_000
    tile_px: int = 1024
    overlap_px: int = 128

    def fitted(self, height: int, width: int) -> tuple[int, int]:
        """The size at which a photo of this size passes through the VAE."""
        if self.fit == "crop":
            return height - height % self.stride, width - width % self.stride
        return height + -height % self.stride, width + -width % self.stride

    def kept(self, height: int, width: int) -> tuple[int, int]:
        """The size of its reconstruction: the photo's own, but for `fit: crop`."""
        return self.fitted(height, width) if self.fit == "crop" else (height, width)

    def tiled(self, height: int, width: int) -> bool:
        """Whether a photo of this size passes through the VAE in tiles."""
        return height * width > self.tile_above_pixels


def centre(pixels: Pixels, height: int, width: int) -> Pixels:
    """The window (height, width, 3) in the middle of an image, above and left of it where the rest is odd."""
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]


def fit_to_stride(photo: Pixels, trip: RoundTrip) -> Pixels:
    """A photo (H, W, 3) whose sides are multiples of the stride: mirrored at the right and bottom, or cropped."""
    height, width = trip.fitted(*photo.shape[:2])
    if trip.fit == "crop":
        return centre(photo, height, width)
    return np.pad(photo, ((0, height - photo.shape[0]), (0, width - photo.shape[1]), (0, 0)), mode="reflect")


def cut(fake: Pixels, photo: Pixels) -> tuple[Pixels, Pixels]:
    """Fake and photo at the size that both have: the padding cut off the one, or the rest of a crop off the other."""
    height, width = (min(sides) for sides in zip(fake.shape[:2], photo.shape[:2], strict=True))
    return fake[:height, :width], centre(photo, height, width)


def posterior_noise(image_ids: Sequence[str], trip: RoundTrip, height: int, width: int) -> NDArray[np.float32] | None:
    """Standard normal noise (N, channels, H / stride, W / stride) from the seed and each id; None for the mode."""
    if trip.posterior == "mode":
        return None
    shape = (trip.latent_channels, height // trip.stride, width // trip.stride)
    draws = [generator(trip.seed, "posterior", name).standard_normal(shape, np.float32) for name in image_ids]
    return np.stack(draws)


def through(vae: Any, photos: Any, noise: Any, trip: RoundTrip, tiles_at_once: int = 1) -> Any:
    """Tensors uint8 (N, H, W, 3) through the VAE: float32 (N, H, W, 3), about [-1, 1], on the VAE's device.

    H and W are multiples of the stride. Large images pass in overlapping tiles, so many at once as told.
    """
    import torch

    with torch.inference_mode():
        if trip.tiled(*photos.shape[1:3]):
            return _in_tiles(vae, photos, noise, trip, tiles_at_once)
        return _round_trip(vae, photos, noise, trip)


def rounded(values: Any) -> Any:
    """Floats in [-1, 1] to grey levels, to the nearest: published code truncates, -0.5 on every fake.

    Values that are not finite become some level: whoever cares looks for them before.
    """
    return values.clamp(-1.0, 1.0).add(1.0).mul(127.5).round().nan_to_num().byte()


def _round_trip(vae: Any, photos: Any, noise: Any, trip: RoundTrip) -> Any:
    import torch

    values = photos.permute(0, 3, 1, 2).float().div(127.5).sub(1)
    if trip.time_axis:
        values = values.to(vae.dtype).unsqueeze(2)
    else:
        values = values.to(vae.dtype, memory_format=torch.channels_last)
    decoded = vae.decode(_latents(vae.encode(values), noise)).sample
    return (decoded.squeeze(2) if trip.time_axis else decoded).float().permute(0, 2, 3, 1)


def _latents(encoded: Any, noise: Any) -> Any:
    """What the decoder gets: the posterior's mode, a draw from it, or what a VAE without a posterior gives."""
    if not hasattr(encoded, "latent_dist"):
        return encoded.latents if hasattr(encoded, "latents") else encoded.latent
    posterior = encoded.latent_dist
    if noise is None:
        return posterior.mode()
    return posterior.mean + posterior.std * noise.reshape(posterior.mean.shape).to(posterior.mean)


def _in_tiles(vae: Any, photos: Any, noise: Any, trip: RoundTrip, at_once: int) -> Any:
    """Each image on its own, tile by tile; where tiles overlap, one passes into the other."""
    import torch

    return torch.stack(
        [_blended(vae, photos[n], None if noise is None else noise[n], trip, at_once) for n in range(photos.shape[0])]
    )


def _blended(vae: Any, photo: Any, noise: Any, trip: RoundTrip, at_once: int) -> Any:
    import torch

    size = [min(trip.tile_px, side) for side in photo.shape[:2]]
    down, across = (tile_weights(side, trip) for side in photo.shape[:2])
    corners = tile_corners(photo.shape[0], photo.shape[1], trip)
    total = torch.zeros(photo.shape, device=photo.device)
    weight = torch.zeros((*photo.shape[:2], 1), device=photo.device)
    for start in range(0, len(corners), at_once):
        group = corners[start : start + at_once]
        tiles = torch.stack([photo[top : top + size[0], left : left + size[1]] for top, left in group])
        drawn = None if noise is None else torch.stack([_window(noise, *corner, size, trip) for corner in group])
        for (top, left), values in zip(group, _round_trip(vae, tiles, drawn, trip), strict=True):
            weights = torch.from_numpy(np.outer(down[top], across[left])[:, :, None]).to(photo.device)
            total[top : top + size[0], left : left + size[1]] += values * weights
            weight[top : top + size[0], left : left + size[1]] += weights
    return total.div_(weight)


def _window(noise: Any, top: int, left: int, size: list[int], trip: RoundTrip) -> Any:
    """The part of an image's noise (channels, H / stride, W / stride) that belongs to a tile."""
    cells = [(start // trip.stride, side // trip.stride) for start, side in zip((top, left), size, strict=True)]
    (row, rows), (column, columns) = cells
    return noise[:, row : row + rows, column : column + columns]


def tile_corners(height: int, width: int, trip: RoundTrip) -> list[tuple[int, int]]:
    """Where the tiles of an image of this size lie: top and left of each."""
    return list(product(tile_starts(height, trip), tile_starts(width, trip)))


def tile_starts(side_px: int, trip: RoundTrip) -> list[int]:
    """Where tiles begin along a side: they overlap by `overlap_px` or, the last one, by more."""
    last = max(0, side_px - trip.tile_px)
    return [*range(0, last, trip.tile_px - trip.overlap_px), last]


def tile_weights(side_px: int, trip: RoundTrip) -> dict[int, NDArray[np.float32]]:
    """Each tile's weights along a side, by where it starts: 1, but down to 0 at an end inside the image.

    There the VAE saw no surroundings; at the image's own ends there are none.
    """
    tile_px = min(trip.tile_px, side_px)
    rise, level = ramp(tile_px, trip.overlap_px), np.ones(tile_px, np.float32)
    return {
        start: (rise if start else level) * (rise[::-1] if start + tile_px < side_px else level)
        for start in tile_starts(side_px, trip)
    }


def ramp(side_px: int, overlap_px: int) -> NDArray[np.float32]:
    """Weights that rise from 0 to 1 in the middle half of the overlap, so that those of two neighbours sum to one."""
    rise = (np.arange(side_px) + 0.5 - overlap_px / 4) / max(overlap_px / 2, 1)
    weights: NDArray[np.float32] = np.clip(rise, 0.0, 1.0).astype(np.float32)
    return weights


def reconstruct(vae: Any, photos: Pixels, trip: RoundTrip, image_ids: Sequence[str] = ()) -> Pixels:
    """`Dec(Enc(x))` of photos of one size, uint8 (N, H, W, 3) in and out.

    Raises FloatingPointError where the VAE gives values that are not finite.
    """
    import torch

    fitted = np.stack([fit_to_stride(photo, trip) for photo in photos])
    noise = posterior_noise(image_ids, trip, *fitted.shape[1:3])
    on_device = None if noise is None else torch.from_numpy(noise).to(vae.device)
    values = through(vae, torch.from_numpy(fitted).to(vae.device), on_device, trip)
    if not bool(values.isfinite().all()):
        raise FloatingPointError("the VAE gave values that are not finite")
    height, width = trip.kept(*photos.shape[1:3])
    fakes: Pixels = rounded(values).cpu().numpy()[:, :height, :width]
    return fakes


def psnr(photo: NDArray[Any], other: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio in dB of two images of one shape, levels 0 to 255; infinite where they are equal."""
    error = np.mean(np.square(np.subtract(photo, other, dtype=np.float32)), dtype=np.float64)
    return float("inf") if error == 0 else float(10 * np.log10(255.0**2 / error))
