"""Prompts of a text file with one on each line, or of a JSON Lines file with a `prompt` in each (GenEval's)."""

import json
from pathlib import Path
from typing import Any

from dda.core.errors import SetupError

KEY = "prompt"


def read(path: Path) -> list[str]:
    """All prompts, in the order of the file; a prompt's number is its line's, from 0.

    Raises SetupError where the file is not there, or a line holds no prompt.
    """
    try:
        lines = path.read_text("utf-8-sig").removesuffix("\n").split("\n")
    except FileNotFoundError as error:
        told = "a local text file with a prompt on each line, or GenEval's evaluation_metadata.jsonl"
        raise SetupError(
            f"no prompts at {path}: put them there, or name another file by generate.prompts: {told} "
            "(docs/generation.md says where that is)"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"cannot read the prompts {path} as UTF-8 text: {error}") from error
    parse = _of_json if path.suffix == ".jsonl" else _plain
    found = [parse(line) for line in lines]
    for number, prompt in enumerate(found, 1):
        if prompt is None:
            wanted = f"a JSON object with the key {KEY!r}" if parse is _of_json else "a prompt"
            raise SetupError(f"line {number} of {path} is not {wanted}: {lines[number - 1]!r:.80}")
    return [prompt for prompt in found if prompt is not None]


def _plain(line: str) -> str | None:
    return line.strip() or None


def _of_json(line: str) -> str | None:
    try:
        value: Any = json.loads(line)
    except ValueError:
        return None
    prompt = value.get(KEY) if isinstance(value, dict) else None
    return prompt.strip() or None if isinstance(prompt, str) and _printable(prompt) else None


def _printable(prompt: str) -> bool:
    """Whether it is text that can be written: JSON may hold halves of characters."""
    return "\0" not in prompt and prompt.encode("utf-8", "replace").decode() == prompt
