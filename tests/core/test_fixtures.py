import hashlib

import numpy as np

from dda.core import fixtures


def test_drawn_images_have_their_sizes_and_are_always_the_same():
    images = fixtures.images()
    assert [image.shape for image in images] == [(height, width, 3) for height, width in fixtures.SIZES]
    assert {image.dtype for image in images} == {np.dtype(np.uint8)}
    assert all((one == other).all() for one, other in zip(images, fixtures.images(), strict=True))


def test_another_seed_draws_others_and_none_is_flat():
    assert all((one != other).any() for one, other in zip(fixtures.images(0), fixtures.images(1), strict=True))
    assert all(image.std() > 20 for image in fixtures.images())
    assert len({hashlib.sha256(image).hexdigest() for image in fixtures.images()}) == len(fixtures.SIZES)
