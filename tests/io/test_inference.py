"""A judge that measures brightness sees images under protocols: once each, in order, whatever is interrupted."""

import hashlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dda.core import changes, protocols
from dda.core.errors import SetupError
from dda.core.labels import FAKE, REAL
from dda.core.windows import windows_of
from dda.io import inference, photos, predictions, tables
from dda.io.layouts import LabelledImage
from dda.io.predictions import Parts


class Brightness:
    """Scores a window by its mean level, and remembers how many it saw."""

    def __init__(self, weights="one", fails_after=None):
        self.digest, self.fails_after, self.seen = weights, fails_after, 0

    def windows(self, pixels, views):
        return windows_of(pixels, 100, views)

    def scores(self, windows):
        self.seen += len(windows)
        if self.fails_after is not None and self.seen > self.fails_after:
            raise KeyboardInterrupt
        return [float(np.mean(window)) for window in windows]


@pytest.fixture
def images(tiles, tmp_path):
    """Twelve labelled images: ten tiles, a broken file and one that is not there."""
    contents = {**dict(list(tiles.items())[:10]), "broken.jpg": b"no image"}
    (tmp_path / "set").mkdir()
    for name, content in contents.items():
        (tmp_path / "set" / name).write_bytes(content)
    names = sorted([*contents, "gone.jpg"])
    return [
        LabelledImage(name, name, "some", "here", FAKE if number % 2 else REAL, tmp_path / "set" / name)
        for number, name in enumerate(names)
    ]


def question(*names, views="centre", seed=0, batch=4):
    return inference.Question(tuple(map(protocols.parse, names)), views, seed, 10**7, batch)


def ask(judge, asked, images, folder):
    """The table and its counts."""
    advanced = []
    path = folder / "table.parquet"
    counts = inference.run(judge, asked, images, Parts(folder / "parts", path), advanced.append)
    table = tables.read(path)
    assert sum(advanced) == len(table) == counts.judged + counts.failed
    assert not (folder / "parts").exists()
    return table, counts


def pixels_of(image):
    return np.asarray(Image.open(BytesIO(image.read())).convert("RGB"))


def test_every_image_has_a_row_for_each_protocol_in_order(images, tmp_path):
    table, counts = ask(Brightness(), question("native", "jpeg-50"), images, tmp_path)
    assert table["image_id"].to_list() == [image.image_id for image in images for _ in range(2)]
    assert table["protocol"].to_list() == ["native", "jpeg-50"] * 12
    assert (counts.judged, counts.failed) == (20, 4)
    assert set(table["source"]) == {"here"}


def test_a_logit_is_that_of_the_changed_image(images, tmp_path):
    table, _ = ask(Brightness(), question("native", "noise-10", "resize-0.5"), images, tmp_path)
    good = images[3]
    for name, logit in table[table["image_id"] == good.image_id].set_index("protocol")["logit"].items():
        steps = protocols.parse(name).steps_for(good.label)
        changed = changes.apply(steps, pixels_of(good), photos.sha256(good.read()), 0)
        assert logit == pytest.approx(np.mean(windows_of(changed, 100, "centre")[0]), abs=1e-9)


def test_an_image_that_cannot_be_read_keeps_its_rows_with_the_reason(images, tmp_path):
    table, _ = ask(Brightness(), question("native", "all-q96"), images, tmp_path)
    bad = table[table["error"].notna()]
    assert set(zip(bad["image_id"], bad["error"], strict=True)) == {
        ("broken.jpg", "no image in a known format"),
        ("gone.jpg", "not found: there is no file gone.jpg"),
    }
    assert bad["logit"].isna().all()
    assert table[table["error"].isna()]["logit"].notna().all()


def test_what_a_format_cannot_hold_is_a_row_with_its_reason(tmp_path):
    Image.new("RGB", (17_000, 3)).save(tmp_path / "long.png")
    long = LabelledImage("long", "long", "some", "here", FAKE, tmp_path / "long.png")
    table, counts = ask(Brightness(), question("native", "webp-50"), [long], tmp_path)
    assert (counts.judged, counts.failed) == (1, 1)
    assert table["error"].to_list()[1].startswith("webp-50: ")


@pytest.mark.parametrize("views", ["five", "tiles"])
def test_several_views_give_the_mean_of_their_logits(images, tmp_path, views):
    table, _ = ask(Brightness(), question("native", views=views, batch=3), images, tmp_path)
    good = images[0]
    windows = windows_of(pixels_of(good), 100, views)
    assert len(windows) > 1
    assert table["logit"][0] == pytest.approx(np.mean(windows), abs=1e-9)
    assert set(table["views"]) == {views}


@pytest.mark.parametrize("views", ["centre", "five", "tiles"])
def test_the_table_does_not_depend_on_the_batch(images, tmp_path, views):
    first, second = (
        ask(Brightness(), question("native", "noise-5", views=views, batch=batch), images, tmp_path / str(batch))[0]
        for batch in (1, 50)
    )
    assert first.equals(second)


# --- a judge that fails


class Picky(Brightness):
    """Gives an answer of the test's instead of a logit, for one window or for all."""

    def __init__(self, answer, only=None):
        super().__init__()
        self.answer, self.only = answer, only

    def scores(self, windows):
        logits = super().scores(windows)
        return [self.answer if self.only in (None, logit) else logit for logit in logits]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("the detector failed: too dark", "the detector failed: too dark"),
        (float("nan"), "the detector failed: its score is nan"),
        (float("-inf"), "the detector failed: its score is -inf"),
    ],
    ids=["reason", "nan", "infinite"],
)
@pytest.mark.parametrize("views", ["centre", "five"])
def test_a_window_without_a_logit_leaves_its_image_without_one_and_no_other(images, tmp_path, answer, reason, views):
    before, _ = ask(Brightness(), question("native", views=views), images, tmp_path / "before")
    one = float(np.mean(windows_of(pixels_of(images[3]), 100, "centre")[0]))
    table, counts = ask(Picky(answer, one), question("native", views=views), images, tmp_path)
    assert table["error"][3] == reason
    assert counts.failed == 3
    others = before.index != 3
    assert table[others].equals(before[others])


def test_a_judge_that_gives_no_logit_at_all_is_stopped(images, tmp_path):
    with pytest.raises(SetupError, match=r"too dark - it gave no logit for any of the first 8"):
        ask(Picky("the detector failed: too dark"), question("native", batch=8), images, tmp_path)
    with pytest.raises(SetupError, match=r"its score is nan - it gave no logit for any of the first 2"):
        ask(Picky(float("nan")), question("native", "jpeg-50"), images[3:4], tmp_path / "few")


# --- nothing is asked twice


def test_a_second_protocol_asks_only_what_is_new(images, tmp_path):
    judge = Brightness()
    ask(judge, question("native"), images, tmp_path)
    assert judge.seen == 10
    table, counts = ask(judge, question("native", "jpeg-50"), images, tmp_path)
    assert judge.seen == 20
    assert counts.known == 10
    assert table.equals(ask(Brightness(), question("native", "jpeg-50"), images, tmp_path / "anew")[0])


def test_protocols_that_do_the_same_to_an_image_ask_once(images, tmp_path):
    judge = Brightness()
    table, _ = ask(judge, question("native", "fakes-q96", "all-q96"), images, tmp_path)
    assert judge.seen == 20
    wide = table.pivot_table(index=["image_id", "label"], columns="protocol", values="logit")
    real = wide.index.get_level_values("label") == REAL
    assert (wide["fakes-q96"] == wide["native"])[real].all()
    assert (wide["fakes-q96"] == wide["all-q96"])[~real].all()


def test_a_new_image_is_the_only_one_that_is_seen(images, tmp_path):
    judge = Brightness()
    ask(judge, question("native"), images[:6], tmp_path)
    before = judge.seen
    ask(judge, question("native"), images, tmp_path)
    assert judge.seen == 10
    assert before < 10


def test_a_changed_file_is_seen_again(images, tmp_path):
    judge = Brightness()
    ask(judge, question("native"), images, tmp_path)
    Image.new("RGB", (50, 50), "white").save(images[0].path)
    table, counts = ask(judge, question("native"), images, tmp_path)
    assert judge.seen == 11
    assert counts.known == 9
    assert table["logit"][0] == pytest.approx(255 / 4)
    assert (table["width"][0], table["height"][0]) == (50, 50)


@pytest.mark.parametrize(
    ("judge", "asked"),
    [
        (Brightness("other weights"), question("noise-5")),
        (Brightness(), question("noise-5", seed=1)),
        (Brightness(), question("noise-5", views="five")),
    ],
    ids=["judge", "seed", "views"],
)
def test_what_decides_a_logit_makes_it_anew(images, tmp_path, judge, asked):
    ask(Brightness(), question("noise-5"), images, tmp_path)
    assert ask(judge, asked, images, tmp_path)[1].known == 0


def test_a_seed_does_not_matter_where_nothing_is_drawn(images, tmp_path):
    ask(Brightness(), question("native"), images, tmp_path)
    assert ask(Brightness(), question("native", seed=1), images, tmp_path)[1].known == 10


# --- interruptions


def interrupted(asked, images, folder, after):
    judge = Brightness(fails_after=after)
    with pytest.raises(KeyboardInterrupt):
        inference.run(judge, asked, images, Parts(folder / "parts", folder / "table.parquet"), lambda _: None)
    return judge.seen


def test_an_interrupted_run_goes_on_where_it_was(images, tmp_path, monkeypatch):
    monkeypatch.setattr(inference, "KEPT_S", 0.0)
    asked = question("native", "jpeg-50", batch=2)
    whole = ask(Brightness(), asked, images, tmp_path / "whole")[0]
    for after in (5, 5, 5):
        interrupted(asked, images, tmp_path, after)
    judge = Brightness()
    table, counts = ask(judge, asked, images, tmp_path)
    assert table.equals(whole)
    assert judge.seen + counts.known == 20
    assert judge.seen <= 10


def test_a_damaged_part_is_made_anew(images, tmp_path, monkeypatch):
    monkeypatch.setattr(inference, "KEPT_S", 0.0)
    asked = question("native", batch=2)
    interrupted(asked, images, tmp_path, 6)
    next((tmp_path / "parts").iterdir()).write_bytes(b"half a par")
    (tmp_path / "parts/.000009.parquet.x.part").write_bytes(b"")
    assert ask(Brightness(), asked, images, tmp_path)[0]["logit"].notna().sum() == 10


def test_a_table_of_other_columns_is_no_source(images, tmp_path):
    tables.write(tmp_path / "table.parquet", [{"image_id": "a"}], {"image_id": "str"})
    assert ask(Brightness(), question("native"), images, tmp_path)[1].known == 0


def test_the_table_has_the_promised_columns(images, tmp_path):
    table, _ = ask(Brightness(), question("native"), images, tmp_path)
    assert list(table) == list(predictions.COLUMNS)
    good = table[table["error"].isna()]
    assert good["sha256"].to_list() == [
        hashlib.sha256(Path(image.path).read_bytes()).hexdigest()
        for image in images
        if image.image_id not in ("broken.jpg", "gone.jpg")
    ]
