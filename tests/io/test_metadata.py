"""The baseline that sees no pixel finds what formats give away, and nothing where a protocol takes that away."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from dda import catalog
from dda.core import changes, kinds, protocols
from dda.core.labels import FAKE, REAL
from dda.io import facts, layouts, metadata
from tests.judging import ask, labelled, placed, question

MINI = Path(__file__).parents[2] / "../shared/data/benchmarks"
ROW = catalog.get("detectors", "metadata")


@pytest.fixture
def folder(tmp_path):
    return placed(tmp_path / "detector", **ROW)


def leaking(folder, n=12):
    """Reals as JPEG, fakes as PNG, each with pixels of its own."""
    reals = [labelled(folder, f"r{number}.jpg", REAL, {"quality": 90}) for number in range(n)]
    return reals + [labelled(folder, f"f{number}.png", FAKE) for number in range(n)]


def aurocs(table):
    """AUROC by protocol, from scikit-learn alone."""
    from sklearn.metrics import roc_auc_score

    groups = table.dropna(subset=["logit"]).groupby("protocol")
    return {name: roc_auc_score(one["label"].astype(int), one["logit"].astype(float)) for name, one in groups}


def test_a_format_that_tells_real_from_fake_is_found_and_lost_where_all_are_saved_alike(folder, tmp_path):
    asked = ("native", "fakes-q96", "all-q96", "resize-0.5", "jpeg-50")
    table, counts = ask(folder, leaking(tmp_path / "set"), tmp_path, *asked)
    found = aurocs(table)
    assert (found["native"], found["fakes-q96"]) == (1.0, 1.0)
    assert {found[name] for name in asked[2:]} == {0.5}
    assert set(table[table["protocol"] == "all-q96"]["logit"]) == {0.0}
    assert (counts.judged, counts.known, counts.failed) == (120, 0, 0)


def test_a_quality_that_a_protocol_draws_says_nothing(folder, tmp_path):
    table, _ = ask(folder, leaking(tmp_path / "set", 40), tmp_path, "social-1080")
    assert aurocs(table)["social-1080"] == pytest.approx(0.5, abs=0.2)


@pytest.mark.skipif(not MINI.is_dir(), reason="../shared/data/benchmarks is absent")
def test_the_format_of_genimage_gives_it_away_until_all_are_saved_alike(folder, tmp_path):
    images = list(layouts.labelled(catalog.get("benchmarks", "genimage"), MINI / "genimage-mini"))
    table, counts = ask(folder, images, tmp_path, "native", "all-q96")
    found = aurocs(table)
    assert found["native"] > 0.99
    assert found["all-q96"] == 0.5
    assert (counts.judged, counts.failed) == (224, 0)


@pytest.mark.skipif(not MINI.is_dir(), reason="../shared/data/benchmarks is absent")
def test_where_both_classes_have_one_format_there_is_nothing_to_find(folder, tmp_path):
    images = layouts.labelled(catalog.get("benchmarks", "forensynths"), MINI / "forensynths-mini")
    table, _ = ask(folder, list(images), tmp_path)
    gan = table[table["generator"] == "CycleGAN"]
    assert aurocs(gan)["native"] == pytest.approx(0.5, abs=0.1)
    assert aurocs(table[table["generator"] == "stylegan3"])["native"] == 1.0


def test_the_size_outlasts_saving_and_is_a_row_of_its_own(tmp_path):
    images = leaking(tmp_path / "set")
    for image in images[:12]:
        Image.open(image.path).resize((64, 64)).save(image.path)
    sized = placed(tmp_path / "sized", **catalog.get("detectors", "metadata-size"))
    found = aurocs(ask(sized, images, tmp_path, "all-q96", "crop-0.5")[0])
    assert found == {"all-q96": 1.0, "crop-0.5": 1.0}


def test_an_unreadable_image_and_a_set_of_one_class_have_their_reasons(folder, tmp_path):
    images = leaking(tmp_path / "set")
    images[3].path.write_bytes(b"no image")
    table, counts = ask(folder, images, tmp_path, "native", "all-q96")
    assert set(table[table["error"].notna()]["error"]) == {"no image in a known format"}
    assert table["image_id"].to_list() == [image.image_id for image in images for _ in range(2)]
    assert (counts.judged, counts.failed) == (46, 2)
    fakes, counts = ask(folder, images[12:], tmp_path)
    assert set(fakes["error"]) == {metadata.ONE_CLASS}
    assert (counts.judged, counts.failed) == (0, 12)


def test_too_few_groups_are_a_reason_and_no_crash(folder, tmp_path):
    table, _ = ask(folder, leaking(tmp_path / "set", 1), tmp_path)
    assert table["error"].str.startswith("cannot be fitted out of fold").all()


def test_the_table_is_the_same_again_and_another_when_the_set_is(folder, tmp_path):
    images = leaking(tmp_path / "set")
    first, again = (ask(folder, images, tmp_path)[0] for _ in range(2))
    assert first.equals(again)
    other, _ = ask(folder, images[:-1], tmp_path)
    assert set(other["inference"]).isdisjoint(first["inference"])


@pytest.mark.parametrize("name", ["all-q96", "jpeg-50", "social-1080", "webp-70"])
def test_the_facts_of_a_protocol_are_those_of_the_file_that_it_writes(folder, tmp_path, monkeypatch, name):
    (image,) = leaking(tmp_path / "set", 1)[1:]
    written = []
    saving = Image.Image.save

    def kept(picture, buffer, *given, **options):
        saving(picture, buffer, *given, **options)
        if isinstance(buffer, BytesIO):
            written.append(buffer.getvalue())

    steps = protocols.parse(name).steps_for(FAKE)
    pixels = metadata.photos.decode_any(image.read(), 10**6)
    monkeypatch.setattr(Image.Image, "save", kept)
    changes.apply(steps, pixels, "its sha256", 0)
    monkeypatch.undo()
    stored = facts.stored(written[-1])
    judge = metadata.load(folder, {"row": ROW}, "float32")
    given = ({"width": 48, "height": 40}, FAKE, "its sha256")
    told = metadata._facts(judge, question(name), protocols.parse(name), given)
    same = [fact for fact in kinds.FILE_FACTS if fact != "mode"]
    assert {fact: told[fact] for fact in same} == {fact: stored[fact] for fact in same}
