"""Imports point one way, outside services have one door each, and core stays pure."""

import ast

import pytest

MAY_IMPORT = {
    "flows": {"flows", "cli", "app", "params", "catalog", "core", "io", "quiet"},
    "__main__": {"cli"},
    "cli": {"cli", "stages", "app", "params", "core", "quiet"},
    "stages": {"params", "catalog", "core", "io"},
    "app": {"app", "params", "catalog", "core", "io", "embedded"},
    "embedded": {"embedded", "core", "io"},
    "params": {"params", "catalog", "core"},
    "catalog": {"catalog", "core"},
    "io": {"io", "core"},
    "core": {"core"},
    "quiet": set(),
    "dda": {"io"},  # dda.Detector, when it is asked for
}
SERVICES = {
    # runs are written by one, models of others read by another; the rest is our own model: its registry, the lock of
    # that, what becomes a version and how it is packed, what is decided of it, and the code that MLflow itself runs
    "mlflow": {
        *(f"dda.io.{name}" for name in ("tracking", "pyfuncs", "mlflow_store", "registry", "registry_lock")),
        *(f"dda.io.{name}" for name in ("candidates", "packing", "promotions", "served")),
    },
    "boto3": {"dda.io.s3", "dda.io.mlflow_store"},  # MLflow hands on what boto3 raises, and that is told in sentences
    **dict.fromkeys(("great_expectations", "ray"), 1),
}
BY_NAME = {"dda.io.callables"}  # a function of others, which a row of the catalog names: it is none of ours
OUTSIDE = {"os", "pathlib", "shutil", "subprocess", "tempfile", "socket", "urllib", "http", "requests", "httpx", "yaml"}


def layer_of(module):
    """`core` of dda.core.jpeg, `flows` of flows.stages; None for what is not ours."""
    first, *rest = module.split(".")
    if first == "dda":
        return rest[0] if rest else "dda"
    return "flows" if first == "flows" else None


def wrong_imports(layer, sources, imported):
    """Imports of ours that a layer's table does not allow; every layer may read `dda.__version__`."""
    return [
        f"{name} imports {other}"
        for name in sources
        for other in sorted(imported(name, sources))
        if layer_of(name) == layer and layer_of(other) not in {None, "dda"} | MAY_IMPORT[layer]
    ]


def importers(library, sources, imported):
    """Modules that import a library, or a part of it."""
    return [name for name in sources if library in {other.split(".")[0] for other in imported(name, sources)}]


def code_of(source):
    """What a module holds besides its docstring."""
    return [node for node in ast.parse(source).body if not (isinstance(node, ast.Expr))]


def test_every_module_lies_in_a_known_layer(sources):
    assert {layer_of(name) for name in sources} <= set(MAY_IMPORT)


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_imports_point_one_way(layer, sources, imported):
    assert wrong_imports(layer, sources, imported) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("dda.stages.align", "from dda.stages import index"),
        ("dda.stages.align", "from . import index"),
        ("dda.app.page", "import dda.stages.index"),
        ("dda.io.tables", "def read():\n    from ..params import Params"),
        ("dda.core.jpeg", "class Jpeg:\n    from dda.io import tables"),
        ("dda.core.jpeg", "import flows.pipeline"),
        ("dda.params", "from dda import cli"),
    ],
)
def test_an_import_against_the_direction_is_found(name, source, sources, imported):
    assert len(wrong_imports(layer_of(name), {**sources, name: source}, imported)) == 1


@pytest.mark.parametrize(("library", "doors"), SERVICES.items())
def test_a_service_is_imported_in_one_io_module(library, doors, sources, imported):
    found = importers(library, sources, imported)
    assert set(found) <= doors if isinstance(doors, set) else len(found) <= doors
    assert all(name.startswith("dda.io.") for name in found)


def test_prefect_is_imported_only_in_flows(sources, imported):
    assert all(name.startswith("flows.") for name in importers("prefect", sources, imported))


@pytest.mark.parametrize("source", ["import mlflow", "def run():\n    from mlflow.entities import Run"])
def test_an_importer_of_a_library_is_found(source, imported):
    assert importers("mlflow", {"dda.stages.train": source}, imported) == ["dda.stages.train"]


def test_core_touches_nothing_outside(sources, imported):
    touched = {name: OUTSIDE & imported(name, sources) for name in sources if layer_of(name) == "core"}
    assert {name: found for name, found in touched.items() if found} == {}


def test_no_module_is_imported_by_a_string(sources):
    """What these guards could not see."""
    ways = ("import_module", "__import__")
    assert {name for name, source in sources.items() if any(way in source for way in ways)} == BY_NAME


@pytest.mark.parametrize("package", ["dda.stages", "dda.app", "dda.core", "dda.io", "dda.embedded"])
def test_a_package_itself_holds_no_code(package, sources):
    """So that importing one module runs no other, and a DVC stage need not depend on an __init__."""
    assert code_of(sources[package]) == []
