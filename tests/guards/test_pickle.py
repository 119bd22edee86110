"""No pickle is ever loaded: not by its own name, and not through torch or numpy."""

import ast

import pytest

PICKLES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


def imported_names(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def is_torch_load(node):
    return isinstance(node, ast.Attribute) and node.attr == "load" and ast.unparse(node.value) == "torch"


def hides_torch_load(node):
    """`from torch import load` and `import torch as t`, after which a call no longer says what it loads."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "torch" and any(alias.name == "load" for alias in node.names)
    return isinstance(node, ast.Import) and any(alias.name == "torch" and alias.asname for alias in node.names)


def is_unsafe_call(node):
    given = {word.arg: ast.unparse(word.value) for word in node.keywords}
    unsafe = given.get("allow_pickle", "False") != "False" or given.get("weights_only", "True") != "True"
    return unsafe or (is_torch_load(node.func) and "weights_only" not in given)


def pickles(tree):
    """Lines that load or import pickles."""
    found = []
    for node in ast.walk(tree):
        names = {name.split(".")[0] for name in imported_names(node)}
        read = isinstance(node, ast.Attribute) and node.attr in ("read_pickle", "to_pickle")
        if names & PICKLES or read or hides_torch_load(node) or (isinstance(node, ast.Call) and is_unsafe_call(node)):
            found.append(node.lineno)
    return found


def test_no_pickle_is_loaded_or_written(trees):
    assert {path: lines for path, tree in trees.items() if (lines := pickles(tree))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from pickle import loads",
        "import torch\ntorch.load('model.pt')",
        "torch.load('model.pt', weights_only=False)",
        "from torch import load",
        "import torch as t",
        "np.load('a.npy', allow_pickle=True)",
        "pd.read_pickle('table')",
    ],
)
def test_a_pickle_is_found(source):
    assert len(pickles(ast.parse(source))) == 1


def test_weights_without_code_may_be_loaded():
    assert pickles(ast.parse("torch.load('model.pt', weights_only=True)\nnp.load('a.npy', allow_pickle=False)")) == []
