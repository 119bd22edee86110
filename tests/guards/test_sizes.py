"""Functions do one thing, modules stay small, and no name says nothing."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = [path for name in ("src", "flows", "bench") for path in sorted((ROOT / name).rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_LINES, MAX_ARGUMENTS, MAX_MODULE_LINES = 50, 5, 250
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "base"}


def functions_of(source):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]


def n_lines(function):
    return function.end_lineno - function.lineno + 1


def n_arguments(function):
    """How many there are to give; `self` and `cls` are not given, and a command's are options, each with its name."""
    if any(ast.unparse(one).endswith(".command()") for one in function.decorator_list):
        return 0
    asked = function.args
    named = [argument.arg for argument in (*asked.posonlyargs, *asked.args) if argument.arg not in ("self", "cls")]
    return len(named) + len(asked.kwonlyargs) + sum(one is not None for one in (asked.vararg, asked.kwarg))


def empty_words(path):
    """The words of a module's path that say nothing."""
    return {word for part in path.with_suffix("").parts for word in part.lower().split("_")} & EMPTY_WORDS


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_and_modules_are_small(path):
    source = path.read_text("utf-8")
    functions = functions_of(source)
    assert [f"{one.name}: {n_lines(one)} lines" for one in functions if n_lines(one) > MAX_LINES] == []
    assert [f"{one.name}: {n_arguments(one)}" for one in functions if n_arguments(one) > MAX_ARGUMENTS] == []
    assert len(source.splitlines()) <= MAX_MODULE_LINES


def test_no_module_has_a_name_that_says_nothing():
    relative = [path.relative_to(ROOT) for path in (*OURS, *TESTS)]
    assert [str(path) for path in relative if empty_words(path)] == []


@pytest.mark.parametrize("name", ["io/utils.py", "common/photos.py", "shard_manager.py", "base.py"])
def test_a_name_that_says_nothing_is_found(name):
    assert empty_words(Path(name))


def test_arguments_of_every_kind_are_counted_but_self():
    (method,) = functions_of("async def f(self, a, /, b, *c, d=1, **e):\n    return a\n")
    assert n_arguments(method) == 5
    assert n_lines(method) == 2


def test_options_of_a_command_are_not_counted():
    (command,) = functions_of("@app.command()\ndef f(a, b, c, d, e, f):\n    return a\n")
    assert n_arguments(command) == 0
