"""What the guards read: the source of every module, and what each one imports, wherever the import stands."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def dotted(path: Path, above: Path) -> str:
    parts = path.relative_to(above).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def origin(node: ast.ImportFrom, name: str, sources: dict[str, str]) -> str:
    """The module after `from`, also where it is written with dots, seen from the module `name`."""
    if not node.level:
        return node.module or ""
    is_package = any(other.startswith(f"{name}.") for other in sources)
    parts = name.split(".") if is_package else name.split(".")[:-1]
    package = parts[: len(parts) - node.level + 1]
    return ".".join([*package, node.module] if node.module else package)


def imports_of(name: str, sources: dict[str, str]) -> set[str]:
    """Full names of what a module imports; `from dda.io import tables` is dda.io.tables where that is a module."""
    found = set()
    for node in ast.walk(ast.parse(sources[name])):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = origin(node, name, sources)
            members = [f"{module}.{alias.name}" for alias in node.names]
            found |= {member if member in sources else module for member in members}
    return found


@pytest.fixture(scope="session")
def sources():
    """The source of every module of src/dda and flows, by its full name; of a package, its __init__."""
    files = {above: (above / name).rglob("*.py") for above, name in ((ROOT / "src", "dda"), (ROOT, "flows"))}
    return {dotted(path, above): path.read_text("utf-8") for above, paths in files.items() for path in sorted(paths)}


@pytest.fixture(scope="session")
def imported():
    """imported(name, sources): full names of all that the module `name` imports."""
    return imports_of


@pytest.fixture(scope="session")
def trees():
    """The syntax of every Python file that is ours, by its path from the root."""
    folders = [ROOT / name for name in ("src", "flows", "bench", "tests")]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in files}
