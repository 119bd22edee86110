import json

import numpy as np
import pytest

from dda import catalog
from dda.core.reconstruction import psnr, reconstruct
from dda.embedded import fit
from dda.embedded.photos import PHOTOGRAPHS, originals
from dda.io import vaes

SHORT = fit.Recipe(width=8, steps=12, batch=4, crop_px=32, scales=(0.5,))


def test_a_few_steps_bring_the_loss_down_and_give_the_same_weights_again():
    import torch

    vae, again = fit.fit(SHORT), fit.fit(SHORT)
    untrained = fit.fit(fit.Recipe(width=8, steps=1, batch=4, crop_px=32, scales=(0.5,)))
    photos = fit.scaled_photos((0.25,), 64)[:4]
    assert fit.mean_psnr(vae, photos) > fit.mean_psnr(untrained, photos)
    for one, two in zip(vae.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, two)


def test_the_committed_vae_reaches_what_its_recipe_says():
    vae = vaes.load(catalog.get("vaes", "tiny"), "cpu")
    told = json.loads((fit.FOLDER / "recipe.json").read_text())["psnr_db_on_embedded_photos"]
    photos = [np.asarray(picture) for photograph in PHOTOGRAPHS[:4] for picture in originals(photograph)]
    found = [psnr(photo, reconstruct(vae, photo[None], fit.TRIP)[0]) for photo in photos]
    assert all(value > 24 for value in found)
    assert np.mean(found) == pytest.approx(told, abs=6)


def test_the_committed_vae_is_small_and_its_row_is_true():
    import torch

    row = catalog.get("vaes", "tiny")
    vae = vaes.load(row, "cpu")
    assert (fit.FOLDER / "diffusion_pytorch_model.safetensors").stat().st_size < 6_000_000
    assert (vae.config.latent_channels, row["stride"]) == (row["latent_channels"], fit.TRIP.stride)
    latents = vae.encode(torch.zeros(1, 3, 32, 48)).latents
    assert tuple(latents.shape) == (1, row["latent_channels"], 32 // row["stride"], 48 // row["stride"])
