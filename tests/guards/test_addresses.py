"""What is committed works anywhere: no file names one machine's paths or a package index."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Written in pieces, so that this file does not find itself.
NOT_OURS = "|".join(
    [
        "(?<![\\w.*})-])/" + "(?:work|root)/",
        "(?<![\\w.*})-])/" + "home/[a-z]",
        "index[-_]" + "url",
        "/" + "simple/",
    ]
)


def committed():
    """Every file that git tracks, or would with `git add --all`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file()]


def text_of(path):
    """The file's text; of a file that is no text, nothing."""
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode("utf-8", "replace")


def addresses(text):
    return [line for line in text.splitlines() if re.search(NOT_OURS, line, re.IGNORECASE)]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no git checkout, so nothing says which files are committed")
def test_no_committed_file_names_a_machine_or_a_package_index():
    files = committed()
    assert ROOT / "pyproject.toml" in files
    assert {str(path.relative_to(ROOT)): found for path in files if (found := addresses(text_of(path)))} == {}


@pytest.mark.parametrize("path", ["work/main", "root/.cache", "home/anna/photos"])
def test_a_path_of_one_machine_is_found(path):
    texts = [f"cd /{path}", f"file:///{path}", f'PHOTOS="/{path}"', f"--to=/{path}"]
    assert [text for text in texts if addresses(text) != [text]] == []
    assert addresses(f"see src/{path} and ../{path} and https://example.com/{path}") == []


@pytest.mark.parametrize(
    "pieces", [("--extra-index-", "url x"), ("PIP_INDEX_", "URL=x"), ("https://x.org/", "simple/")]
)
def test_the_address_of_a_package_index_is_found(pieces):
    assert addresses("".join(pieces))
