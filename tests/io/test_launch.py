"""Several processes that train one network: together they do what one does."""

import pytest

from dda.core.errors import SetupError
from dda.io import launch
from tests import training


def fail(message):
    raise SetupError(message)


@pytest.mark.slow
def test_two_processes_have_the_curve_of_one_with_the_double_batch(line, finished, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    update = {"batch_pairs": 4, "epochs": 3}
    launch.run(training.write_curve, (finished, training.settings(finished, micro_batch_pairs=4, **update), one), 1)
    launch.run(training.write_curve, (finished, training.settings(finished, micro_batch_pairs=2, **update), two), 2)
    first, second = training.curve(one), training.curve(two)
    assert [line["loss"] for line in second] == pytest.approx([line["loss"] for line in first], rel=1e-4)
    assert [line["grad_norm"] for line in second if "lr" in line] == pytest.approx(
        [line["grad_norm"] for line in first if "lr" in line], rel=1e-3
    )
    assert [line["val_loss"] for line in second if "val_loss" in line] == pytest.approx(
        [line["val_loss"] for line in first if "val_loss" in line], rel=1e-4
    )


def test_the_mistake_of_one_process_is_told_in_its_own_words():
    with pytest.raises(SetupError, match=r"^no such pairs$"):
        launch.run(fail, ("no such pairs",), 2)


def test_one_process_is_this_one():
    with pytest.raises(SetupError, match=r"^here$"):
        launch.run(fail, ("here",), 1)
