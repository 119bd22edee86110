"""What a page of docs tells people to run: the tests run the very same."""

import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```(sh|python) ?([\w-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str, str]]:
    """Language, word and text of each block that can be run, in order."""
    return BLOCK.findall((DOCS / page).read_text("utf-8"))


def run(block: tuple[str, str, str], folder: Path, **environment: str) -> str:
    """Run a block in a folder; what it says. It must end well."""
    language, _, text = block
    command = ["bash", "-euc", text] if language == "sh" else [sys.executable, "-c", text]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
