"""A card tells what was counted and what the catalog knows, and nothing else."""

import pytest
import yaml

from dda.core import set_card

VAE = {"class": "AutoencoderKL", "source": "someone/vae", "revision": "abc", "stride": 8, "latent_channels": 4}
VAE |= {"licence": "MIT"}
PHOTOS = {"photos": 5, "address": "http://example.org/x.zip", "licence": "to be asked for", "left_out": "its notes"}


def pair(number, split, ending="jpg", **more):
    names = {f"{side}_name": f"{number}.{side}.{ending}" for side in ("real", "fake")}
    return {"image_id": str(number), "split": split, "error": None, **names, **more}


PAIRS = [pair(1, "train"), pair(2, "train", "png"), pair(3, "test")]
PAIRS += [{"image_id": "4", "split": "val", "error": "broken", "real_name": None, "fake_name": None}]


def facts(pairs=PAIRS, photos=None, audit=None):
    return set_card.Facts("sdx", pairs, VAE, photos, audit or {})


def front(text):
    return yaml.safe_load(text.split("---")[1])


def test_counts_add_up():
    text = set_card.card(facts())
    assert "4 reconstructions, 4 pairs = 3 good + 1 failed." in text
    assert "| train | 2 |\n| test | 1 |" in text
    assert "| val |" not in text


def test_hugging_face_is_told_of_splits_and_of_all_columns():
    told = front(set_card.card(facts()))
    (config,) = told["configs"]
    assert [(one["split"], one["path"]) for one in config["data_files"]] == [
        ("train", "train-*.tar"),
        ("test", "test-*.tar"),
    ]
    columns = {one["name"]: one["dtype"] for one in told["dataset_info"]["features"]}
    images = dict.fromkeys(("real.jpg", "real.png", "fake.jpg", "fake.png"), "image")
    assert columns == images | {"__key__": "string", "__url__": "string"}
    assert told["license"] == "other"
    assert told["size_categories"] == ["n<1K"]


def test_photos_whose_origin_was_not_stated_are_not_guessed():
    text = set_card.card(facts())
    assert "was not stated when the set was published" in text
    assert "- photos: not stated" in text


def test_photos_of_the_catalog_bring_their_terms():
    text = set_card.card(facts(photos=("some-set", PHOTOS)))
    assert (
        "The photo set some-set (5 photos, http://example.org/x.zip), or a part of it. Terms: to be asked for." in text
    )
    assert "Not part of it: its notes." in text
    assert "- photos: some-set: to be asked for" in text


def test_a_vae_is_told_with_its_origin():
    for row, said in (
        (VAE, "weights: someone/vae, revision abc; licence: MIT."),
        (VAE | {"subfolder": "vae"}, "weights: someone/vae, folder vae, revision abc; licence: MIT."),
        (
            {**VAE, "source": None, "revision": None, "embedded": "tiny"},
            "weights: embedded in dda as tiny; licence: MIT.",
        ),
    ):
        assert said in set_card.card(set_card.Facts("sdx", PAIRS, row, None, {}))


def test_alignment_is_told_by_the_columns_that_are_there():
    assert set_card.alignment(PAIRS) == ["the table of pairs tells nothing of it"]
    told = {"real_format": "JPEG", "jpeg_matched": "tables", "real_weight": 0.25}
    told["steps"] = '[{"step": "copy_clipped"}, {"step": "match_jpeg", "by": "tables"}]'
    assert set_card.alignment([pair(1, "train", **told), pair(2, "val", **told | {"real_weight": 0.0})]) == [
        "stored as JPEG (2 pairs)",
        "2 of 2 fakes were given the JPEG tables and subsampling of their real",
        "train, 1 pairs: copy_clipped, then match_jpeg (by tables)",
        "val, 1 pairs: copy_clipped, then match_jpeg (by tables)",
        "1 of 2 fakes have pixels of their real mixed in; the real's share is 0.250 to 0.250",
    ]


def test_the_audit_is_told_with_what_is_not_so_though_not_critical():
    checked = [{"name": "good", "success": True}, {"name": "all are new", "success": False}]
    text = set_card.card(facts(audit={"pairs": 4, "expectations": checked}))
    assert "Passed, with 2 expectations on 4 pairs (audit.json).\n\n- not critical, and not so: all are new" in text


@pytest.mark.parametrize(("n_pairs", "word"), [(999, "n<1K"), (1000, "1K<n<10K"), (118_000, "100K<n<1M")])
def test_sizes_are_those_that_hugging_face_knows(n_pairs, word):
    assert front(set_card.card(facts([pair(1, "train")] * n_pairs)))["size_categories"] == [word]
