"""The clone that a worker runs in, kept at a branch of its own (DDA_BRANCH).    python -m flows.checkout

People commit code and parameters to the default branch; the worker commits what was made (dvc.lock, data.dvc, reports)
to its branch, which has theirs merged in before every run. Where they changed a file that was made, theirs is taken: a
wrong entry of dvc.lock only makes DVC run that stage again.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dda.core.errors import SetupError

MADE = ("dvc.lock", "data.dvc", "reports")
LIMIT_S = 1800.0
TRIES = 5  # others may push to the branch at the same moment
NOBODY = ("-c", "user.name=dda worker", "-c", "user.email=worker@dda.invalid")


def update() -> str:
    """Bring the checkout to its branch with the default branch merged in; what happened, in a sentence.

    What an interrupted run had made is committed first. Raises SetupError where a file is changed that no flow makes,
    where the default branch changed such a file at the same place, and for what git says.
    """
    branch = os.environ.get("DDA_BRANCH")
    if not branch:
        return "DDA_BRANCH is not set: the checkout is used as it is"
    git("fetch", "--quiet", "--prune", "origin")
    _abort_merge()
    _commit("what an interrupted run had made")
    default = default_branch()
    if current() != branch:
        known = next((one for one in (branch, f"origin/{branch}", f"origin/{default}") if exists(one)), None)
        if known is None:
            raise SetupError(f"origin has no branch {default!r}: is it an empty repository?")
        git("checkout", "--quiet", *([branch] if known == branch else ["--no-track", "-b", branch, known]))
    for other in (f"origin/{branch}", f"origin/{default}"):
        if exists(other):
            merge(other)
    return f"the checkout is at {branch}, {git('rev-parse', '--short', 'HEAD')}, with {default} merged in"


def save(message: str) -> str:
    """Commit what was made to the branch and push it; what happened, in a sentence.

    Where somebody pushed to the branch meanwhile, theirs is merged, and it is pushed again.
    """
    branch = os.environ.get("DDA_BRANCH")
    if not branch:
        return "DDA_BRANCH is not set: nothing is committed"
    _commit(message)
    for _ in range(TRIES):
        git("fetch", "--quiet", "origin")
        if exists(f"origin/{branch}"):
            merge(f"origin/{branch}")
            if git("rev-parse", "HEAD") == git("rev-parse", f"origin/{branch}"):
                return f"nothing new to commit; origin has all of {branch}"
        if _try("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}") is None:
            return f"pushed {git('rev-parse', '--short', 'HEAD')} to {branch}"
    raise SetupError(
        f"could not push to {branch} in {TRIES} tries: {_try('push', 'origin', f'HEAD:refs/heads/{branch}')}"
    )


def merge(other: str) -> None:
    """Merge another commit into the current branch; of what is made, the other's side wins wherever it changed it."""
    if _try("merge-base", "--is-ancestor", other, "HEAD") is None:
        return
    base = git("merge-base", "HEAD", other)
    said = _try(*NOBODY, "merge", "--quiet", "--no-commit", "--no-ff", other)
    theirs = _changed(base, other)
    for path in theirs:
        if _is_made(path) and git("ls-tree", "--name-only", other, "--", path):
            git("checkout", other, "--", path)
        elif _is_made(path):
            git("rm", "--quiet", "--force", "--ignore-unmatch", "--", path)
    left = _lines(git("diff", "--name-only", "--diff-filter=U"))
    if left or (said and not _merging()):
        _abort_merge()
        told = f"they differ in {', '.join(left)}" if left else said
        raise SetupError(
            f"{other} cannot be merged into {current()}: {told}; merge it by hand and push, then run again"
        )
    git(*identity(), "commit", "--quiet", "--no-verify", "-m", f"Merge {other}")


def _commit(message: str) -> None:
    """Commit changes of what is made, if there are any. Raises SetupError where anything else is changed."""
    changed = [line[3:] for line in _lines(git("status", "--porcelain", "--untracked-files=no"))]
    foreign = [path for path in changed if not _is_made(path)]
    if foreign:
        told = ", ".join(foreign[:5])
        raise SetupError(
            f"the worker's checkout has changes that no flow makes: {told}; commit them elsewhere, or undo them"
        )
    present = [path for path in MADE if Path(path).exists()]
    if present:
        git("add", "--all", "--", *present)
    if _try("diff", "--cached", "--quiet") is not None:
        git(*identity(), "commit", "--quiet", "--no-verify", "-m", message)


def _is_made(path: str) -> bool:
    return any(path == made or path.startswith(f"{made}/") for made in MADE)


def _changed(base: str, other: str) -> list[str]:
    return [name for name in git("diff", "--name-only", "-z", base, other).split("\0") if name]


def _merging() -> bool:
    return exists("MERGE_HEAD")


def _abort_merge() -> None:
    """Undo a merge that was interrupted."""
    if _merging():
        git("merge", "--abort")


def default_branch() -> str:
    """The branch that people push to, as origin says it."""
    for line in _lines(git("ls-remote", "--symref", "origin", "HEAD")):
        if line.startswith("ref: refs/heads/"):
            return line.removeprefix("ref: refs/heads/").split()[0]
    raise SetupError("origin does not say which branch is its default one: set its HEAD")


def current() -> str:
    """The branch that is checked out; empty where none is."""
    return git("branch", "--show-current")


def exists(name: str) -> bool:
    """Whether git knows a commit by this name."""
    return _try("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") is None


def identity() -> Sequence[str]:
    """Who commits: the one that git is told of, else nobody in particular."""
    return () if _try("config", "user.email") is None else NOBODY


def git(*words: str) -> str:
    """What git answers. Raises SetupError with its own words."""
    done = _run(words)
    if done.returncode:
        raise SetupError(f"git {words[0]} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip("\n")


def _try(*words: str) -> str | None:
    """None where git ends well, else what it says."""
    done = _run(words)
    return (done.stderr or done.stdout).strip() if done.returncode else None


def _run(words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("git")
    if not program:
        raise SetupError("git is not installed, and DDA_BRANCH is set")
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return subprocess.run(
        [program, *words], capture_output=True, text=True, check=False, env=environment, timeout=LIMIT_S
    )


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]


def main() -> int:
    """Update the checkout; exit status 2 where that cannot be done."""
    try:
        print(update())
    except SetupError as error:
        print(f"flows.checkout: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
