"""One word per thing: a stage's module, section, DVC stage, verb and test file bear the same name."""

import ast
from pathlib import Path

import pytest
import typer
import yaml

from dda import cli
from dda.params import Params

ROOT = Path(__file__).parents[2]
STAGES = sorted(path.stem for path in (ROOT / "src/dda/stages").glob("*.py") if path.stem != "__init__")
GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
VERBS = typer.main.get_command(cli.app).commands


def word_of(dvc_stage):
    """`evaluate` of `evaluate-folder`."""
    return dvc_stage.partition("-")[0]


def first_arguments(source):
    """The first argument of each function of a module, by the function's name."""
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return {function.name: function.args.args[0].arg for function in functions if function.args.args}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_a_section_of_the_parameters(stage):
    assert stage in Params.model_fields


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_stands_in_the_graph(stage):
    assert stage in {word_of(name) for name in GRAPH}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_a_verb(stage):
    assert stage in VERBS


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_its_tests(stage):
    assert (ROOT / f"tests/stages/test_{stage}.py").is_file()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_on_the_parameters(stage):
    source = (ROOT / f"src/dda/stages/{stage}.py").read_text("utf-8")
    assert first_arguments(source)["run"] == "params"


@pytest.mark.parametrize("name", GRAPH)
def test_a_dvc_stage_has_a_module_and_calls_its_verb(name):
    assert word_of(name) in STAGES
    assert GRAPH[name]["cmd"].split()[:2] == ["dda", word_of(name)]


def test_every_section_of_the_parameters_is_a_stage_the_paths_or_the_gate_after_the_last_one():
    assert set(Params.model_fields) == {"paths", *STAGES, "promote"}
