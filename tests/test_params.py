"""A wrong parameters file is refused at the door: every mistake by its place, its value and the nearest known word."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from dda import params
from dda.core.augmentations import DRAWS, KINDS
from dda.core.errors import SetupError
from dda.core.filters import BLURS
from dda.core.views import KERNELS
from dda.params import steps, views

DEFAULT = Path(__file__).parents[1] / "params.yaml"
NO_TEXT = [b"photos: caf\xe9\n", b"\x00\x01\x02", b"\xff\xfe\x00"]
NO_YAML = ["index: [1, 2", "index:\n\tseed: 1\n", "index: {seed: 2024-13-45}", "seed: !!int many", "--- 1\n--- 2\n"]
NO_SECTIONS = ["", "# only a comment\n", "- index\n- train\n", "hello", "42"]


@pytest.fixture
def values():
    """The default's values, to be spoilt."""
    return yaml.safe_load(DEFAULT.read_text("utf-8"))


@pytest.fixture
def refused(tmp_path):
    """refused(content): what the refusal of such a file says."""

    def refuse(content):
        path = tmp_path / "params.yaml"
        text = content if isinstance(content, str | bytes) else yaml.safe_dump(content)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(SetupError) as refusal:
            params.load(path)
        assert str(path) in str(refusal.value)
        return str(refusal.value)

    return refuse


def put(values, place, value):
    """The values with one of them changed; `place` as a message writes it, such as `align.train.steps.0.cutoff`."""
    *sections, key = place.split(".")
    inner = values
    for section in sections:
        inner = inner[int(section) if section.isdigit() else section]
    inner[int(key) if key.isdigit() else key] = value
    return values


def test_the_default_file_is_read_as_it_stands(values):
    loaded = params.load(DEFAULT)
    assert loaded.index.seed == values["index"]["seed"]
    assert [step.step for step in loaded.align.train.steps] == [
        one["step"] for one in values["align"]["train"]["steps"]
    ]
    assert loaded.paths.photos == Path(values["paths"]["photos"])


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("tarin", "train"),
        ("index.sead", "seed"),
        ("paths.fotos", "photos"),
        ("align.train.variant", "variants"),
        ("align.train.steps.0.cut_off", "cutoff"),
        ("align.held_out.steps.2.buy", "by"),
        ("audit.limits.spectra", "spectrum"),
        ("promote.requird", "required"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(wrong, right, values, refused):
    message = refused(put(values, wrong, 1))
    assert "1 mistake" in message
    assert f"{wrong}: unknown key. Did you mean {right!r}? Known: " in message


def test_an_unknown_split_is_named_with_the_known_ones(values, refused):
    message = refused(put(values, "index.fractions.tset", 0.0))
    assert "tset" in message
    assert all(split in message for split in ("train", "val", "test"))


def test_a_key_like_nothing_known_gets_the_list_and_no_guess(values, refused):
    message = refused(put(values, "audit.xyzzy", 1))
    assert "audit.xyzzy: unknown key. Known: " in message
    assert "min_pairs_per_split" in message
    assert "Did you mean" not in message


@pytest.mark.parametrize("key", [1, True, None, 2.5])
def test_a_key_that_is_no_word_is_a_mistake(key, values, refused):
    values["index"][key] = 1
    assert "index." in refused(values)


def test_all_mistakes_are_told_at_once(values, refused):
    del values["report"]
    del values["audit"]["min_pairs_per_split"]
    places = {"tarin": 1, "index.seed": "x", "align.train.steps.2.probability": 2, "train.vaes": ["tinny"]}
    for place, value in places.items():
        put(values, place, value)
    message = refused(values)
    assert "6 mistake" in message
    for place in (*places, "report: missing", "audit.min_pairs_per_split: missing"):
        assert f"  {place}" in message


def test_fractions_that_are_wrong_are_told_beside_other_mistakes_of_their_section(values, refused):
    put(values, "index.fractions.train", 0.5)
    message = refused(put(values, "index.min_side_px", 0))
    assert "index.min_side_px" in message
    assert "sum to 1" in message


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("index", 5),
        ("index", None),
        ("align.train", [0.5]),
        ("index.seed", "many"),
        ("index.seed", None),
        ("index.fractions", [0.6, 0.2, 0.2]),
        ("index.fractions.val", "some"),
        ("train.epochs", 2.5),
        ("train.optimiser.lr", "fast"),
        ("reconstruct.vaes", "tiny"),
        ("reconstruct.vaes", {"tiny": 1}),
        ("paths.photos", 5),
        ("paths.photos", ["data"]),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_its_place(place, value, values, refused):
    message = refused(put(values, place, value))
    assert f"  {place}: " in message
    assert f"not {value!r}" in message


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("index.max_failed", 1.01),
        ("index.fractions.val", -0.1),
        ("index.min_side_px", 0),
        ("reconstruct.shards", 0),
        ("align.train.steps.2.probability", -0.5),
        ("align.held_out.steps.0.cutoff", 0),
        ("align.train.steps.0.real_weight.1", 2),
        ("audit.limits.block_grid", 0.4),
        ("train.epochs", -1),
        ("train.optimiser.lr", 0),
        ("train.optimiser.lr", float("nan")),
        ("train.optimiser.weight_decay", float("inf")),
        ("report.bootstrap_samples", 99),
        ("promote.required.aligned-tiny", 1.5),
        ("promote.max_false_positive_rate", -0.1),
    ],
)
def test_a_number_out_of_range_is_named_with_its_place(place, value, values, refused):
    assert f"  {place}: Input should be " in refused(put(values, place, value))


@pytest.mark.parametrize("section", params.Params.model_fields)
def test_a_missing_section_is_named(section, values, refused):
    del values[section]
    assert f"  {section}: missing" in refused(values)


@pytest.mark.parametrize("place", ["paths.rejected", "index.seed", "align.held_out", "align.train.steps.0.cutoff"])
def test_a_missing_value_is_named(place, values, refused):
    *sections, key = place.split(".")
    inner = values
    for section in sections:
        inner = inner[int(section) if section.isdigit() else section]
    del inner[key]
    assert f"  {place}: missing" in refused(values)


@pytest.mark.parametrize(
    ("place", "name", "sentence"),
    [
        ("reconstruct.vaes", "tinny", "no VAE 'tinny'. Did you mean 'tiny'?"),
        ("train.vaes", "sdlx", "no VAE 'sdlx'. Did you mean 'sdxl'?"),
        ("train.detectors", "embeded", "no detector 'embeded'. Did you mean 'embedded'?"),
        ("evaluate.detectors", "embeded", "no detector 'embeded'. Did you mean 'embedded'?"),
        ("evaluate.benchmarks", "genimg", "no benchmark 'genimg'. Did you mean 'genimage'?"),
    ],
)
def test_a_name_that_the_catalog_lacks_is_answered_with_the_nearest(place, name, sentence, values, refused):
    assert f"  {place}.0: {sentence} Known: " in refused(put(values, place, [name]))


@pytest.mark.parametrize("place", ["reconstruct.vaes", "train.vaes", "train.detectors", "evaluate.detectors"])
def test_a_list_that_must_name_something_is_not_empty(place, values, refused):
    assert f"  {place}: " in refused(put(values, place, []))


@pytest.mark.parametrize(("name", "allowed"), [("two words", False), ("s3://model", False), ("detector_2-b", True)])
def test_the_name_of_a_registered_model_can_be_part_of_an_address(name, allowed, values, refused, tmp_path):
    changed = put(values, "promote.model", name)
    if allowed:
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(changed))
        assert params.load(tmp_path / "params.yaml").promote.model == name
    else:
        assert "  promote.model: must be of letters, digits, - and _" in refused(changed)


def test_the_gates_protocol_must_be_one_that_exists(values, refused):
    assert "  promote.protocol: " in refused(put(values, "promote.protocol", "jpg"))


def test_a_gate_that_requires_nothing_is_refused(values, refused):
    assert "  promote.required: " in refused(put(values, "promote.required", {}))


def test_a_vae_to_train_on_must_be_one_that_is_reconstructed(values, refused):
    message = refused(put(values, "train.vaes", ["sdxl"]))
    assert "train.vaes: 'sdxl' must also stand in reconstruct.vaes" in message


@pytest.mark.parametrize("fractions", [(0.6, 0.2, 0.1), (0.6, 0.3, 0.2), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)])
def test_fractions_must_sum_to_one(fractions, values, refused):
    wrong = dict(zip(("train", "val", "test"), fractions, strict=True))
    message = refused(put(values, "index.fractions", wrong))
    assert "index" in message
    assert "sum to 1" in message


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_fractions_must_name_every_split(split, values, refused):
    del values["index"]["fractions"][split]
    assert "fractions" in refused(values)


@pytest.mark.parametrize("pattern", ["(", "(.+)-tile[0-9", "no bracket"])
def test_a_group_pattern_that_cannot_give_a_group_is_refused(pattern, values, refused):
    assert "index.group_pattern" in refused(put(values, "index.group_pattern", pattern))


@pytest.mark.parametrize("content", NO_TEXT)
def test_a_file_that_is_no_text_is_refused(content, refused):
    assert refused(content)


@pytest.mark.parametrize("content", NO_YAML)
def test_a_file_that_is_not_yaml_is_refused(content, refused):
    assert "is not YAML" in refused(content)


@pytest.mark.parametrize("content", NO_SECTIONS)
def test_yaml_without_sections_is_refused(content, refused):
    assert "must hold the sections paths, index" in refused(content)


def test_yaml_that_would_run_code_is_refused(refused, tmp_path):
    target = tmp_path / "made"
    assert "is not YAML" in refused(f"index: !!python/object/apply:os.mkdir ['{target}']\n")
    assert not target.exists()


@pytest.mark.parametrize("name", ["params.yaml", "."])
def test_a_file_that_is_not_there_is_answered_with_the_next_step(name, tmp_path):
    with pytest.raises(SetupError, match=r"run dda in the project's root, or name a file by --params"):
        params.load(tmp_path / name)


@pytest.mark.parametrize(("section", "key"), [("index", "seed"), ("train", "epochs"), ("paths", "photos")])
def test_parameters_cannot_be_changed_once_read(section, key):
    loaded = getattr(params.load(DEFAULT), section)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(loaded, key, getattr(loaded, key))


# --- steps of the alignment


def test_an_unknown_step_is_named_with_the_nearest_known_one(values, refused):
    message = refused(put(values, "align.train.steps.1", {"step": "mix_pixel", "probability": 1.0}))
    assert "  align.train.steps.1.step: no step 'mix_pixel'. Did you mean 'mix_pixels'? Known: copy_clipped" in message


def test_a_step_without_a_name_is_told(values, refused):
    message = refused(put(values, "align.train.steps.1", {"probability": 1.0}))
    assert "  align.train.steps.1.step: missing. Known: mix_pixels" in message


def test_a_step_stands_once_in_a_list(values, refused):
    twice = values["align"]["train"]["steps"][0]
    message = refused(put(values, "align.train.steps.1", twice))
    assert "  align.train.steps: names a step twice: mix_frequencies" in message


def test_a_range_of_weights_rises(values, refused):
    message = refused(put(values, "align.train.steps.2.real_weight", [0.8, 0.2]))
    assert "  align.train.steps.2.real_weight: must rise: 0.8 is above 0.2" in message


@pytest.mark.parametrize("bands", [[6, 15], [-1, 3], [9, 4], [3]])
def test_bands_are_two_of_fifteen_that_rise(bands, values, refused):
    step = {"step": "mix_bands", "probability": 1.0, "real_weight": [0.0, 1.0], "bands": bands}
    assert "  align.train.steps.1.bands" in refused(put(values, "align.train.steps.1", step))


# --- views of a pair

VIEWS = {
    "scales": [[1.0, 1.0], [0.2, 1.0]],
    "kernels": ["nearest", "lanczos"],
    "augmentations": [
        {"augment": "jpeg", "probability": 0.15, "quality": [55, 100]},
        {"augment": "blur", "probability": 0.2, "kinds": ["median_3"]},
        {"augment": "to_grey", "probability": 0.1},
    ],
}


def told(place, value):
    """What is said of views of which one value is another."""
    with pytest.raises(ValidationError) as refusal:
        views.Views.model_validate(put(yaml.safe_load(yaml.safe_dump(VIEWS)), place, value))
    return "\n".join(params.sentences(refusal.value, views.Views))


def test_views_are_read_as_they_stand():
    assert yaml.safe_load(views.Views.model_validate(VIEWS).model_dump_json()) == VIEWS


def test_an_unknown_augmentation_is_named_with_the_nearest_known_one():
    message = told("augmentations.0.augment", "jpg")
    assert "augmentations.0.augment: no augmentation 'jpg'. Did you mean 'jpeg'? Known: blur, " in message


def test_an_augmentation_without_a_name_is_told():
    assert "augmentations.1.augment: missing. Known: jpeg, " in told("augmentations.1", {"probability": 1.0})


def test_an_unknown_key_of_an_augmentation_is_named_with_the_nearest_known_one():
    assert told("augmentations.0.qualty", 1) == (
        "augmentations.0.qualty: unknown key. Did you mean 'quality'? Known: augment, probability, quality."
    )


def test_an_augmentation_stands_once_in_a_list():
    twice = {"augment": "to_grey", "probability": 0.5}
    assert told("augmentations.1", twice) == "augmentations: names an augmentation twice: to_grey"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("scales", []),
        ("scales.0", [0.0, 1.0]),
        ("scales.0", [1.0, 8.5]),
        ("scales.1", [1.0, 0.2]),
        ("kernels", []),
        ("kernels.1", "lanczos3"),
        ("augmentations.0.quality", [90, 60]),
        ("augmentations.0.quality.1", 101),
        ("augmentations.0.probability", 1.5),
        ("augmentations.1.kinds", []),
        ("augmentations.1.kinds.0", "median_5"),
    ],
)
def test_values_of_views_that_cannot_be_are_named_with_their_place(place, value):
    assert told(place, value).startswith(place)


def test_every_augmentation_kernel_and_blur_that_may_be_named_is_known():
    jittered = {"brightness", "contrast", "saturation", "hue"}
    assert set(views.BY_NAME) == set(KINDS) - jittered | {"jitter_colour"}
    assert set(DRAWS) < set(views.BY_NAME)
    assert set(views.Kernel.__args__) == set(KERNELS)
    assert set(views.BlurKind.__args__) == set(BLURS)


def test_no_augmentation_has_the_name_of_a_step():
    assert set(views.BY_NAME) & set(steps.BY_NAME) == set()
