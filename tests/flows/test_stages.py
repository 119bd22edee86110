import shutil
import subprocess
from pathlib import Path

import pytest

from flows.stages import levels

ROOT = Path(__file__).parents[2]


@pytest.fixture
def graph(tmp_path, monkeypatch):
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


def test_levels_come_in_the_order_of_the_graph_with_siblings_together(graph):
    assert levels() == [
        ["index"],
        ["reconstruct@sd21", "reconstruct@tiny"],
        ["align@sd21", "align@tiny"],
        ["audit@sd21", "audit@tiny"],
        ["train@embedded"],
        ["evaluate@embedded-sd21", "evaluate@embedded-tiny"],
        ["report"],
    ]


def test_a_target_brings_only_what_it_needs(graph):
    assert levels(["align@tiny"]) == [["index"], ["reconstruct@tiny"], ["align@tiny"]]
    assert levels(["reconstruct"]) == [["index"], ["reconstruct@sd21", "reconstruct@tiny"]]


def test_an_unknown_target_is_refused_by_name(graph):
    with pytest.raises(ValueError, match=r"dvc\.yaml has no stage 'aling'"):
        levels(["aling"])
