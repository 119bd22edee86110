"""One pipeline and its call: what may be loaded, with which words, and what comes out."""

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from dda import catalog
from dda.core.errors import SetupError
from dda.io import generators
from tests import generators as tiny

ROWS = catalog.table("generators")


@pytest.fixture(scope="module")
def row(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("flux"))


@pytest.fixture(scope="module")
def generator(row):
    return generators.loaded(generators.facts_of(row), offload=False)


@pytest.mark.parametrize("name", ROWS)
def test_every_row_of_the_catalog_names_a_pipeline_of_diffusers_and_words_of_its_call(name):
    row = ROWS[name]
    words = generators.call_words(row, generators.pipeline_class(row["class"]))
    assert words["num_inference_steps"] == row["steps"]
    assert {"width", "height"} <= words.keys()
    assert row["precision"] in generators.PRECISIONS
    assert {"source", "revision", "licence", "gated"} <= row.keys()


@pytest.mark.parametrize("name", generators.CLASSES)
def test_every_allowed_class_takes_a_prompt_a_generator_and_gives_arrays(name):
    import inspect

    asked = inspect.signature(generators.pipeline_class(name).__call__).parameters
    assert {"prompt", "generator", "output_type"} <= asked.keys()


def test_a_class_that_is_not_allowed_is_never_looked_up():
    with pytest.raises(SetupError, match=r"'FluxPipline' is no text-to-image pipeline.*Did you mean 'FluxPipeline'"):
        generators.pipeline_class("FluxPipline")
    with pytest.raises(SetupError, match="'AutoPipelineForText2Image' is no text-to-image pipeline"):
        generators.pipeline_class("AutoPipelineForText2Image")


def test_a_word_that_the_call_does_not_know_is_named(row):
    with pytest.raises(SetupError, match="FluxPipeline takes no 'cfg_trunc_ratio': correct `options`"):
        generators.Generator(row | {"options": {"cfg_trunc_ratio": 0.5}}, "cpu", offload=False)


def test_an_image_follows_its_seed_and_prompt_only(generator):
    first = generator.generate("a red apple", 1)
    assert (first.dtype, first.shape) == (np.uint8, (32, 32, 3))
    assert (generator.generate("a red apple", 2) != first).any()
    assert (generator.generate("two dogs", 1) != first).any()
    assert (generator.generate("a red apple", 1) == first).all()


def test_a_prompt_that_the_pipeline_fails_on_has_its_reason(generator):
    with pytest.raises(generators.GenerationFailed, match="index out of range"):
        generator.generate(tiny.OUTSIDE, 1)


def test_values_that_are_not_finite_are_no_image(row, tmp_path):
    changed = tiny.write(tmp_path / "flux")
    path = tmp_path / "flux/vae/diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["decoder.conv_out.bias"] += float("nan")
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(generators.GenerationFailed, match=generators.NOT_FINITE):
        generators.Generator(changed, "cpu", offload=False).generate("a bench", 1)


def test_weights_that_are_broken_are_a_sentence(tmp_path):
    row = tiny.write(tmp_path / "flux")
    (tmp_path / "flux/vae/diffusion_pytorch_model.safetensors").write_bytes(b"no weights")
    with pytest.raises(SetupError, match=r"^cannot load the generator from .*: correct its row, or get it anew$"):
        generators.Generator(row, "cpu", offload=False)


def test_grey_levels_are_the_nearest():
    assert generators.rounded(np.array([-1, 0, 0.499 / 255, 0.501 / 255, 1, 2], np.float32)).tolist() == [
        *[0, 0, 0, 1],
        *[255, 255],
    ]
