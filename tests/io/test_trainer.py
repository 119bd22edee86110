"""A run: what it learns, what its seed decides, how it goes on after an interruption, and what stops it."""

import itertools
from dataclasses import replace

import numpy as np
import psutil
import pytest
import torch

from dda import catalog
from dda.core.errors import SetupError
from dda.io import pairs, resume, tracking
from dda.io.trainer import interleaved, rank
from dda.params.sections import Align
from dda.stages import align
from tests import training

pytestmark = pytest.mark.usefixtures("one_thread")


def losses(made):
    return [line["loss"] for line in made.progress.updates]


def interrupted(made, step):
    """A trainer that is stopped in the middle of an update, after its state was saved somewhere before."""

    class Stop(BaseException):
        pass

    update, save = made.engine.update, made.save

    def stopping(number, *rest):
        if number == step:
            raise Stop
        return update(number, *rest)

    made.engine.update = stopping
    with pytest.raises(Stop):
        made.go(tracking.silent(), lambda _: None)
    return save


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": {"max_grad_norm": 1.0}},
        {"micro_batch_pairs": 1},
        {"losses": {"contrastive": 0.5}, "selection": {"validations_per_epoch": 2}},
    ],
    ids=["plain", "accumulated", "contrastive"],
)
@pytest.mark.parametrize("row", [training.ROW, training.ROW | training.LORA], ids=["all", "lora"])
def test_a_run_that_goes_on_ends_like_one_that_was_never_stopped(line, finished, tmp_path, changes, row):
    update = {"batch_pairs": 2, "micro_batch_pairs": 2, "epochs": 2, "machine": {"checkpoint_s": 0}}
    chosen = training.settings(finished, **update | changes)
    whole = training.go(finished, chosen, tmp_path / "whole", row)
    for step in (1, 4, 7):  # killed three times, each time going on from the last state
        stopped = training.trainer(finished, chosen, tmp_path / "stopped", row)
        stopped.resume()
        interrupted(stopped, step)
    last = training.trainer(finished, chosen, tmp_path / "stopped", row)
    last.resume()
    assert last.progress.step == 7
    last.go(tracking.silent(), lambda _: None)
    assert losses(last) == losses(whole)
    unlike = ("images_per_s",)
    for first, second in zip(whole.progress.validations, last.progress.validations, strict=True):
        assert {k: v for k, v in first.items() if k not in unlike} == {
            k: v for k, v in second.items() if k not in unlike
        }
    assert all(
        torch.equal(whole.progress.best_weights[name], value) for name, value in last.progress.best_weights.items()
    )
    assert last.progress.resumed_at == [1, 4, 7]


def test_a_state_of_other_settings_is_not_gone_on_from(line, finished, tmp_path, caplog):
    chosen = training.settings(finished, machine={"checkpoint_s": 0})
    training.go(finished, chosen, tmp_path)
    other = training.trainer(finished, chosen, tmp_path, fingerprint="two")
    other.resume()
    assert other.progress.step == 0
    assert "other data, settings or code" in caplog.text


@pytest.mark.parametrize("damage", [lambda content: content[:-200], lambda content: b"", lambda _: b"x" * 500])
def test_a_damaged_state_is_said_and_the_run_begins_anew(finished, tmp_path, caplog, damage, line):
    chosen = training.settings(finished, machine={"checkpoint_s": 0})
    training.go(finished, chosen, tmp_path)
    path = tmp_path / resume.FILE
    path.write_bytes(damage(path.read_bytes()))
    again = training.trainer(finished, chosen, tmp_path)
    again.resume()
    assert again.progress.step == 0
    assert "begins anew" in caplog.text


def test_the_seed_decides_everything(line, finished, tmp_path):
    first, second, other = (
        training.go(finished, training.settings(finished, seed=seed), tmp_path / str(n))
        for n, seed in enumerate((3, 3, 4))
    )
    assert losses(first) == losses(second)
    assert losses(first) != losses(other)


def test_workers_see_what_one_process_sees(line, finished, tmp_path):
    alone, helped = (
        training.go(finished, training.settings(finished, machine={"loader_workers": workers}), tmp_path / str(workers))
        for workers in (0, 2)
    )
    assert losses(alone) == losses(helped)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_pair_that_cannot_be_read_is_one_sentence_whoever_reads_it(copied_line, tmp_path, workers):
    folder = copied_line.paths.aligned / "tiny"
    row = pairs.load(folder, "train").rows[0]
    with (folder / row["shard"]).open("r+b") as file:
        file.seek(row["fake_offset"])
        file.write(b"\0" * row["fake_size"])
    chosen = training.settings(".", machine={"loader_workers": workers})
    with pytest.raises(SetupError, match=f"^{row['fake_name']} of .*: fetch or make the set again$"):
        training.go(".", chosen, tmp_path)


def test_a_lost_worker_is_a_sentence_and_the_state_is_gone_on_from(line, finished, tmp_path):
    chosen = training.settings(finished, epochs=3, batch_pairs=2, micro_batch_pairs=2)
    chosen["machine"] |= {"loader_workers": 1, "checkpoint_s": 0}
    made = training.trainer(finished, chosen, tmp_path)
    update = made.engine.update

    def after_a_loss(step, *rest):
        if step == 1:
            for child in psutil.Process().children(recursive=True):
                if "multiprocessing" in " ".join(child.cmdline()) and child.children() == []:
                    child.kill()
        return update(step, *rest)

    made.engine.update = after_a_loss
    with pytest.raises(SetupError, match="a process that reads pairs was lost"):
        made.go(tracking.silent(), lambda _: None)
    again = training.trainer(finished, chosen, tmp_path)
    again.resume()
    assert again.progress.step >= 1
    again.go(tracking.silent(), lambda _: None)
    assert losses(again) == losses(training.go(finished, chosen, tmp_path / "whole"))


def test_micro_batches_are_one_batch(line, finished, tmp_path):
    whole, parts = (
        training.go(
            finished, training.settings(finished, batch_pairs=4, micro_batch_pairs=micro), tmp_path / str(micro)
        )
        for micro in (4, 1)
    )
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-4)


def test_eight_pairs_are_learnt_by_heart(copied_line, tmp_path):
    """Pairs whose blur is left, which a network sees at once: it would take long to learn what alignment leaves."""
    compressed = {"variants": 1, "steps": [{"step": "match_jpeg", "probability": 1.0, "by": "tables"}]}
    section = Align.model_validate(copied_line.align.model_dump() | {"train": compressed})
    align.run(copied_line.model_copy(update={"align": section}), "tiny")
    schedule = {"warm_up": 0.0}
    chosen = training.settings(".", epochs=25, draws_per_pair=4, batch_pairs=8, micro_batch_pairs=8, schedule=schedule)
    made = training.trainer(".", chosen, tmp_path, catalog.get("detectors", "embedded"))
    made.plan = replace(made.plan, n_pairs=8)
    made.go(tracking.silent(), lambda _: None)
    assert np.mean(losses(made)[-4:]) < 0.3 < losses(made)[0]


def test_a_loss_that_is_no_number_stops_with_step_and_pairs_and_keeps_the_last_state(line, finished, tmp_path):
    chosen = training.settings(finished, epochs=3, batch_pairs=4, micro_batch_pairs=4, machine={"checkpoint_s": 0})
    made = training.trainer(finished, chosen, tmp_path)
    update = made.engine.update

    def poisoned(step, *rest):
        if step == 4:
            next(made.engine.network.parameters()).data.fill_(float("nan"))
        return update(step, *rest)

    made.engine.update = poisoned
    with pytest.raises(SetupError, match=r"the loss is nan .* at step 5") as caught:
        made.go(tracking.silent(), lambda _: None)
    names = {made.training[draw.pair].name for draw in made.plan.update(4)}
    assert all(name in str(caught.value) for name in names)
    good = training.trainer(finished, chosen, tmp_path)
    good.resume()
    assert good.progress.step == 4
    assert all(torch.isfinite(weight).all() for weight in good.engine.weights().values())


def test_a_gradient_that_is_no_number_moves_nothing(line, finished, tmp_path):
    made = training.trainer(finished, training.settings(finished), tmp_path)
    before = made.engine.weights()
    weight = next(made.engine.network.parameters())
    weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(SetupError, match=r"gradient (inf|nan) long at step 1"):
        made.go(tracking.silent(), lambda _: None)
    assert all(torch.equal(before[name], value) for name, value in made.engine.weights().items())


def test_training_ends_early_where_nothing_gets_better(line, finished, tmp_path):
    chosen = training.settings(finished, epochs=9, optimiser={"lr": 1e-12}, selection={"patience": 2})
    made = training.go(finished, chosen, tmp_path)
    ranks = [rank(one) for one in made.progress.validations]
    assert len(ranks) < 9
    assert max(ranks[-2:]) <= max(ranks[:-2])


def test_validations_are_spread_over_an_epoch(line, finished, tmp_path):
    chosen = training.settings(
        finished, epochs=1, batch_pairs=1, micro_batch_pairs=1, selection={"validations_per_epoch": 3}
    )
    made = training.go(finished, chosen, tmp_path)
    per_epoch = made.plan.updates_per_epoch
    steps = [one["step"] for one in made.progress.validations]
    assert len(steps) == 3
    assert steps[-1] == per_epoch
    assert max(np.diff([0, *steps])) - min(np.diff([0, *steps])) <= 1


def test_values_of_several_processes_come_in_the_order_of_the_whole():
    whole = list(range(14))
    pairs = [whole[first : first + 2] for first in range(0, 14, 2)]
    for processes in (1, 2, 3, 9):
        parts = [list(itertools.chain.from_iterable(pairs[process::processes])) for process in range(processes)]
        assert interleaved(parts, 2) == whole
