"""A DVC stage runs again when its code or a parameter that it reads has changed: `deps` and `params` name them."""

import re
from pathlib import Path

import pytest
import yaml

from dda.params import Params

ROOT = Path(__file__).parents[2]
GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
# How a stage works, not what it makes: these change no result, so DVC has nothing to make anew.
MACHINE = {"reconstruct.executor", "reconstruct.cpus_per_worker", "train.machine"}
MACHINE |= {"generate.executor", "generate.cpus_per_worker", "generate.offload"}
# Not code that a stage runs: what they say reaches a stage as params, which dvc.yaml names by themselves.
SECTIONS = {f"dda.params.{name}" for name in ("evaluation", "promotion", "sections", "steps", "views")}
VALUES = {"dda", "dda.cli", "dda.params", *SECTIONS, "dda.catalog", "dda.quiet", "dda.params.training"}
DATA = {"dda.io.page": "src/dda/io/templates", "dda.io.vaes": "src/dda/embedded/tiny"}


def closure(start, sources, imported):
    """All modules of dda that one module imports, directly or through others, and itself."""
    found, waiting = set(), [start]
    while waiting:
        module = waiting.pop()
        if module not in found | VALUES and module in sources:
            found.add(module)
            waiting += imported(module, sources)
    return found


def needed(start, sources, imported):
    """The files of these modules, and data that lie beside them; a package's own file holds no code."""
    modules = closure(start, sources, imported)
    packages = {name.rpartition(".")[0] for name in sources}
    files = [f"src/{module.replace('.', '/')}.py" for module in modules - packages]
    return sorted(files + [DATA[module] for module in modules & set(DATA)])


def matrix_of(name):
    """What a DVC stage is repeated for, as dvc.yaml writes it."""
    return GRAPH[name].get("matrix", {}).values()


def parameters_read(source):
    """`evaluate.max_pixels` where a module says `params.evaluate.max_pixels`; `train` where it takes all."""
    read = set()
    for section, key in re.findall(r"\bparams\.(\w+)(?:\.(\w+))?", source):
        if section in Params.model_fields and section != "paths":
            keys = Params.model_fields[section].annotation.model_fields
            read.add(f"{section}.{key}" if key in keys else section)
    return read


def named(words, parameter):
    """Whether one of these words of dvc.yaml names a parameter, its section, or a part of it."""
    return any(f"{parameter}.".startswith(f"{word}.") or word.startswith(f"{parameter}.") for word in words)


@pytest.mark.parametrize("name", GRAPH)
def test_a_dvc_stage_depends_on_exactly_the_code_it_runs(name, sources, imported):
    listed = [dependency for dependency in GRAPH[name]["deps"] if dependency.startswith("src/")]
    wanted = needed(f"dda.stages.{name.partition('-')[0]}", sources, imported)
    lines = "".join(f"\n      - {path}" for path in wanted)
    assert sorted(listed) == wanted, f"in dvc.yaml, below `deps` of {name}, after what begins with ${{:{lines}\n"


@pytest.mark.parametrize("name", GRAPH)
def test_data_stand_before_code_in_the_dependencies(name):
    is_code = [dependency.startswith("src/") for dependency in GRAPH[name]["deps"]]
    assert is_code == sorted(is_code)


@pytest.mark.parametrize("name", GRAPH)
def test_a_dvc_stage_names_every_parameter_that_its_module_reads(name):
    """But for the lists that a matrix of the same word spreads out: they reach a stage as its item."""
    module = name.partition("-")[0]
    spread = {one.strip("${}") for other in GRAPH if other.partition("-")[0] == module for one in matrix_of(other)}
    words = {word for word in GRAPH[name]["params"] if isinstance(word, str)} | spread
    read = parameters_read((ROOT / f"src/dda/stages/{module}.py").read_text("utf-8"))
    assert sorted(parameter for parameter in read - MACHINE if not named(words, parameter)) == []


def test_training_depends_on_every_parameter_but_those_of_the_machine():
    """It takes its section as a whole, so that the test above cannot see a key that is missing."""
    listed = {word for word in GRAPH["train"]["params"] if isinstance(word, str)}
    known = {f"train.{key}" for key in Params.model_fields["train"].annotation.model_fields}
    assert listed == known - MACHINE - {"train.detectors"}


def test_no_dvc_stage_runs_again_because_of_how_it_works():
    listed = {word for stage in GRAPH.values() for word in stage["params"] if isinstance(word, str)}
    assert sorted(word for word in MACHINE if named(listed, word)) == []


def test_parameters_are_found_where_they_are_read():
    source = (
        "def run(params):\n    f(params.train, params.paths.index)\n    self.params.index.seed\n    'see params.yaml'"
    )
    assert parameters_read(source) == {"train", "index.seed"}
    assert named({"index.seed"}, "index.seed")
    assert not named({"index.seeds", "train"}, "index.seed")


def test_code_is_followed_into_functions_and_through_modules_but_not_into_parameters(imported):
    sources = {
        "dda.stages.align": "from dda.params import Params\ndef run():\n    from dda.io import page",
        "dda.params": "from dda.core import labels",
        "dda.core.labels": "",
        "dda.io": "",
        "dda.io.page": "import numpy\nfrom .atomic import whole",
        "dda.io.atomic": "",
    }
    code = ["src/dda/io/atomic.py", "src/dda/io/page.py", "src/dda/io/templates", "src/dda/stages/align.py"]
    assert needed("dda.stages.align", sources, imported) == code
