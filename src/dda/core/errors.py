"""Errors that a person should read as a sentence, without a traceback."""

import difflib
from collections.abc import Iterable


class SetupError(Exception):
    """The setup is wrong: the message says what, the value, what is allowed, and the next step."""

    exit_status = 2


class AuditError(Exception):
    """A set is not fit to train on: the message names each expectation that failed."""

    exit_status = 1


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean 'tiny'? Known: sd21, tiny.`, or only the known ones where none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    guess = f"Did you mean {near[0]!r}? " if near else ""
    return f"{guess}Known: {', '.join(names) or 'none'}."
