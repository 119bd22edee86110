"""DVC's graph: levels, how stages run, and what is out of date."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from dda.core.errors import SetupError
from flows import graph
from flows.graph import How, levels
from tests.flows.conftest import repro

ROOT = Path(__file__).parents[2]
GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
CHAIN = {
    "one": {"cmd": "cp in.txt one.txt", "deps": ["in.txt"], "outs": ["one.txt"]},
    "two": {"cmd": "cp one.txt two.txt", "deps": ["one.txt"], "outs": ["two.txt"]},
    "other": {"cmd": "cp in.txt other.txt", "deps": ["in.txt"], "outs": ["other.txt"]},
}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A git and DVC project with this project's dvc.yaml, with two VAEs."""
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "src/dda").mkdir(parents=True)
    shutil.copytree(ROOT / "src/dda/catalog", tmp_path / "src/dda/catalog")
    text = (tmp_path / "params.yaml").read_text().replace("vaes: [tiny]", "vaes: [tiny, sd21]", 1)
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        subprocess.run(command, check=True)


@pytest.fixture(scope="module")
def chained(empty, tmp_path_factory):
    """A project after `dvc repro`."""
    folder = tmp_path_factory.mktemp("chained") / "project"
    shutil.copytree(empty, folder)
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": CHAIN}))
    (folder / "in.txt").write_text("1")
    with contextlib.chdir(folder):
        subprocess.run(["dvc", "add", "-q", "in.txt"], check=True)
        repro()
    return folder


@pytest.fixture
def chain(chained, tmp_path, monkeypatch):
    """A copy of it, which is the current folder."""
    shutil.copytree(chained, tmp_path / "chain")
    monkeypatch.chdir(tmp_path / "chain")
    return tmp_path / "chain"


def test_levels_come_in_the_order_of_the_graph_with_siblings_together(own):
    assert levels() == [
        ["index"],
        ["reconstruct@sd21", "reconstruct@tiny"],
        ["align@sd21", "align@tiny"],
        ["audit@sd21", "audit@tiny"],
        ["train@embedded"],
        ["evaluate@embedded-sd21", "evaluate@embedded-tiny"],
        ["report"],
    ]


def test_a_target_brings_only_what_it_needs(own):
    assert levels(["align@tiny"]) == [["index"], ["reconstruct@tiny"], ["align@tiny"]]
    assert levels(["reconstruct"]) == [["index"], ["reconstruct@sd21", "reconstruct@tiny"]]


def test_an_unknown_target_is_refused_by_name(own):
    with pytest.raises(SetupError, match=r"dvc\.yaml has no stage 'aling'\. Did you mean 'align'\?"):
        levels(["aling"])


def test_how_a_stage_runs_reaches_each_of_its_items(own):
    found = {one.address: one.how for group in graph.steps() for one in group}
    assert found["reconstruct@sd21"] == found["train@embedded"] == How(gpu=True, hours=72, retries=2)
    assert not found["audit@tiny"].gpu


@pytest.mark.parametrize("name", GRAPH)
def test_every_stage_of_ours_says_how_long_it_may_take(name):
    assert graph.how(name, GRAPH[name]["meta"]).hours > 0


def test_a_word_that_nobody_would_obey_is_refused():
    with pytest.raises(SetupError, match=r"meta of train: no word 'gpus'\. Did you mean 'gpu'\?"):
        graph.how("train", {"gpus": True})


def test_meta_makes_nothing_anew_and_stands_in_no_lock(chain):
    before = (chain / "dvc.lock").read_bytes()
    stages = {name: said | {"meta": {"gpu": True, "hours": 1, "retries": 2}} for name, said in CHAIN.items()}
    (chain / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    assert graph.out_of_date() == {}
    repro()
    assert (chain / "dvc.lock").read_bytes() == before


def test_what_follows_from_a_change_is_due_and_nothing_else(chain):
    assert graph.out_of_date() == {}
    assert graph.due([], {}) == []
    assert graph.due(["two"], {"one"}) == ["one", "two"]
    assert graph.due(["two"], {"other"}) == []
    (chain / "one.txt").write_text("changed by hand")
    assert sorted(graph.out_of_date()) == ["one", "two"]


def test_outputs_that_are_not_there_are_told_from_changed_ones(chain):
    (chain / "one.txt").unlink()
    (chain / "other.txt").write_text("changed by hand")
    stale = graph.out_of_date()
    assert {"one", "other"} <= set(stale)
    assert graph.missing(stale) == ["one"]


def test_what_we_were_given_is_a_step_of_its_own(chain):
    (first, *_) = graph.steps()
    assert [(one.address, one.given) for one in first] == [("in.txt.dvc", True)]
    assert levels() == [["one", "other"], ["two"]]


def test_dvc_that_cannot_answer_is_told_in_its_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SetupError, match="not inside of a DVC repository"):
        graph.out_of_date()
