"""A detector's score of images as something to climb: differentiable to their pixels, for whoever trains generators."""

import copy
import threading
from dataclasses import dataclass, field
from typing import Any

from dda.core import windows
from dda.core.errors import SetupError, did_you_mean
from dda.core.networks import logits_of
from dda.core.regions import Region
from dda.io import detectors
from dda.io.detectors import NetworkJudge
from dda.io.runtimes import Runtime

BATCH_WINDOWS = 32
SLACK = 0.25
"""So far outside of [0, 1] a generator's images may lie: beyond, they are in another range."""


@dataclass(frozen=True)
class Rewards:
    """A detector's network, loaded when it is first asked, on each device that images come from."""

    runtime: Runtime
    networks: dict[str, Any] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.Lock)

    def score(self, images: Any, views: str) -> Any:
        """-logit / temperature (N,) in float32, the mean over the windows of `views`, of float (N, 3, H, W) in [0, 1].

        Windows are cut and padded as core.windows does; where no window lies, a pixel's gradient is 0. Raises
        ValueError for other tensors, SetupError for views that are not known.
        """
        import torch

        if views not in windows.VIEWS:
            raise SetupError(f"no views {views!r}. {did_you_mean(views, windows.VIEWS)}")
        _check(images)
        seen = self.runtime.description["preprocessing"]
        cut = _windows(images.float(), seen["input_px"], views)
        network, parts = self._network(images.device), []
        centre, spread = (torch.tensor(seen[name], device=images.device).view(3, 1, 1) for name in ("mean", "std"))
        for some in cut.flatten(0, 1).split(BATCH_WINDOWS):
            parts.append(logits_of(network, (some - centre) / spread))
        logits = torch.cat(parts) if parts else cut.new_zeros(0)
        temperature = self.runtime.description["calibration"]["temperature"] or 1.0
        return -logits.view(cut.shape[:2]).mean(1) / temperature

    def _network(self, device: Any) -> Any:
        """The network on a device, its weights frozen."""
        with self.lock:
            if str(device) not in self.networks:
                self.networks[str(device)] = self._loaded().to(device).eval().requires_grad_(False)
            return self.networks[str(device)]

    def _loaded(self) -> Any:
        if isinstance(self.runtime, NetworkJudge):
            return copy.deepcopy(self.runtime.network)
        folder = self.runtime.folder
        if folder is None:
            raise SetupError("this detector lies nowhere: load it from its folder")
        return detectors.network_of(folder, self.runtime.description)


def _check(images: Any) -> None:
    """Raise ValueError where these are no float images in [0, 1]."""
    found = f"{getattr(images, 'dtype', type(images).__name__)} {tuple(getattr(images, 'shape', ()))}"
    if not (hasattr(images, "is_floating_point") and images.is_floating_point() and images.ndim == 4):
        raise ValueError(f"{found} are no images: they must be a float tensor (N, 3, H, W) in [0, 1]")
    if images.shape[1] != 3 or not images.shape[2] or not images.shape[3]:
        raise ValueError(f"{found} are no images: they must be a float tensor (N, 3, H, W) in [0, 1]")
    if images.numel():
        lowest, highest = (float(value) for value in images.detach().aminmax())
        if lowest < -SLACK or highest > 1 + SLACK:
            raise ValueError(f"the images lie in [{lowest:g}, {highest:g}], they must lie in [0, 1]")


def _windows(images: Any, size_px: int, views: str) -> Any:
    """The windows (N, windows, 3, size, size) of images (N, 3, H, W), black where these are smaller."""
    import torch

    height, width = images.shape[2:]
    regions = windows.regions_of(height, width, size_px, views)
    return torch.stack([_centred(_cut(images, region), size_px) for region in regions], dim=1)


def _cut(images: Any, region: Region) -> Any:
    down = slice(region.top, region.top + region.height)
    return images[:, :, down, region.left : region.left + region.width]


def _centred(images: Any, size_px: int) -> Any:
    """Images in the middle of black ones, as core.windows.centred does with pixels."""
    from torch.nn.functional import pad

    height, width = images.shape[2:]
    down, right = (size_px - height) // 2, (size_px - width) // 2
    return pad(images, (right, size_px - width - right, down, size_px - height - down))
