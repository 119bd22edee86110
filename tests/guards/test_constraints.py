"""constraints.txt says what is installed, for every dependency that pyproject.toml names, and never from where."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NAMED = [Requirement(line) for line in sum(PROJECT["optional-dependencies"].values(), PROJECT["dependencies"])]
DIRECT = [requirement for requirement in NAMED if requirement.name != PROJECT["name"]]  # `dda[ray]` names itself
LINES = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]


def exact_version(line):
    """The version that a line pins. Raises ValueError where it is not `name==version`, with or without a marker."""
    pin = Requirement(line)
    clauses = list(pin.specifier)
    if pin.url or pin.extras or len(clauses) != 1 or clauses[0].operator != "==" or "*" in clauses[0].version:
        raise ValueError(f"no exact version: {line}")
    return clauses[0].version


def pinned(name):
    """All versions of a package: there are several where they depend on the Python that is used."""
    lines = [line for line in LINES if canonicalize_name(line.partition("==")[0]) == canonicalize_name(name)]
    return [exact_version(line) for line in lines]


def test_every_line_pins_one_exact_version():
    assert all(exact_version(line) for line in LINES)


@pytest.mark.parametrize("line", ["a>=1", "a", "a==1.*", "a @ https://example.com/a.whl", "-r other.txt"])
def test_a_line_that_leaves_something_open_is_refused(line):
    with pytest.raises(ValueError, match=r"exact|Expected"):
        exact_version(line)


@pytest.mark.parametrize("requirement", DIRECT, ids=lambda requirement: requirement.name)
def test_a_direct_dependency_is_pinned_inside_its_range(requirement):
    versions = pinned(requirement.name)
    assert versions
    assert [version for version in versions if version not in requirement.specifier] == []


@pytest.mark.parametrize(
    ("name", "known_good"),
    [("fastapi", "<0.151"), ("sqlalchemy", "<2.1"), ("torch", "==2.15.*"), ("torchvision", "==0.29.*")],
)
def test_a_version_that_others_break_stays_where_it_works(name, known_good):
    assert pinned(name)
    assert all(version in SpecifierSet(known_good) for version in pinned(name))
