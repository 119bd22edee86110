"""Every parameters file that we ship is complete and valid."""

from pathlib import Path

import pytest

from dda import params

ROOT = Path(__file__).parents[2]
PROFILES = sorted((ROOT / "profiles").glob("*.yaml"))


def test_there_is_a_profile_besides_the_default():
    assert PROFILES


@pytest.mark.parametrize("path", [ROOT / "params.yaml", *PROFILES], ids=lambda path: path.name)
def test_a_parameters_file_is_complete_and_valid(path):
    assert isinstance(params.load(path), params.Params)
