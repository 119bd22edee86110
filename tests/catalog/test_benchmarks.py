"""Every row of the benchmarks is whole, says what nobody has verified, and reads the tree that its authors ship."""

import pytest

from dda import catalog
from dda.core.labels import FAKE, REAL
from dda.io import layouts
from tests.benchmarks import TREES, counted

ROWS = catalog.table("benchmarks")
OF_THE_PAPER = {
    *("genimage", "drct-2m", "dda-coco", "evalgen", "synthbuster", "forensynths", "aigcdetectbenchmark", "chameleon"),
    *("synthwildx", "wildrf", "bfree-online"),
}
KEYS = {
    *("title", "version", "layout", "generators", "expected", "protocol", "source", "terms", "get", "known_bad"),
    *("notes", "overlaps", "fakes_only"),
}
PROTOCOLS = {"native", "fakes-q96", "presentation-attack"}


@pytest.fixture
def tree(request, tmp_path):
    """A row's miniature tree in a folder of its name, and what is in it."""
    folder = tmp_path / request.param
    folder.mkdir()
    return request.param, folder, TREES[request.param](folder)


def test_every_benchmark_of_the_paper_has_a_row():
    assert set(ROWS) >= OF_THE_PAPER
    assert len(ROWS) == 26


@pytest.mark.parametrize("name", ROWS)
def test_a_row_says_everything_that_is_asked_of_a_row(name):
    row = ROWS[name]
    assert sorted(KEYS - set(row)) == []
    assert row["layout"] in layouts.SHAPES
    assert row["protocol"] in PROTOCOLS
    assert isinstance(row["version"], int)
    assert all(isinstance(row[key], str) for key in ("title", "source", "terms", "get", "notes"))
    assert row["fakes_only"] == (row["layout"] == "fakes_only") == (row["expected"]["real"] == 0)


@pytest.mark.parametrize("name", ROWS)
def test_expected_counts_add_up_and_name_the_generators_of_the_row(name):
    expected, generators = ROWS[name]["expected"], ROWS[name]["generators"]
    if "generators" in expected:
        assert sum(expected["generators"].values()) == expected["fake"]
        assert set(expected["generators"]) == set(generators.values())


@pytest.mark.parametrize("name", ROWS)
def test_two_folders_have_two_names(name):
    names = list(ROWS[name]["generators"].values())
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("tree", ROWS, indirect=True)
def test_the_tree_of_a_row_is_found_with_its_labels_generators_and_sources(tree):
    name, folder, expected = tree
    images = list(layouts.labelled(ROWS[name], folder))
    assert counted(images) == expected
    assert all(image.read() for image in images)
    assert len({image.image_id for image in images}) == len(images)
    assert all(image.source and image.generator and image.cluster for image in images)


@pytest.mark.parametrize("tree", ROWS, indirect=True)
def test_the_order_of_a_tree_is_the_same_at_every_time(tree):
    name, folder, _ = tree
    first, second = ([image.image_id for image in layouts.labelled(ROWS[name], folder)] for _ in range(2))
    assert first == second


@pytest.mark.parametrize("tree", ["dda-coco", "drct-2m", "synthbuster"], indirect=True)
def test_a_real_and_its_fakes_are_one_cluster(tree):
    name, folder, _ = tree
    clusters = {image.cluster for image in layouts.labelled(ROWS[name], folder) if image.label == FAKE}
    assert len(clusters) == 1
    assert clusters <= {image.cluster for image in layouts.labelled(ROWS[name], folder) if image.label == REAL}


def test_copies_of_universalfakedetect_with_reals_beside_each_fake_are_read_as_well(tmp_path):
    for place in ("guided/0_real", "guided/1_fake", "ldm_200/0_real", "ldm_200/1_fake"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.png").write_bytes(b"x")
    assert counted(layouts.labelled(ROWS["universalfakedetect"], tmp_path)) == {
        (REAL, "Guided diffusion", "ImageNet"): 1,
        (FAKE, "Guided diffusion", "generated"): 1,
        (REAL, "LDM 200", "LAION"): 1,
        (FAKE, "LDM 200", "generated"): 1,
    }


def test_copies_of_a_viral_image_are_one_cluster(tmp_path):
    TREES["bfree-online"](tmp_path)
    assert [image.cluster for image in layouts.labelled(ROWS["bfree-online"], tmp_path)] == ["s01", "s01", "s02"]


def test_the_row_of_a_users_own_set_and_own_sets_without_a_row_know_the_same_classes():
    assert {side: ROWS["own"][side] for side in ("real", "fake")} == layouts.OWN_CLASSES


def test_every_overlap_names_a_row_and_is_told_by_both():
    for name, row in ROWS.items():
        assert all(name in ROWS[other]["overlaps"] for other in row["overlaps"])


def test_benchmarks_that_share_images_are_told_in_pairs():
    names = ["genimage", "chameleon", "aigcdetectbenchmark", "forensynths", "aligned-sd21"]
    assert catalog.overlaps(names) == [("genimage", "aigcdetectbenchmark"), ("aigcdetectbenchmark", "forensynths")]
    assert catalog.overlaps(["genimage", "forensynths"]) == []
    assert catalog.overlaps(["dda-coco", "drct-2m", "dda-coco"]) == [("dda-coco", "drct-2m")]
