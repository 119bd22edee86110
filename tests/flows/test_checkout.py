"""The worker's clone and its branch, with real repositories."""

import subprocess
from pathlib import Path

import pytest

from dda.core.errors import SetupError
from flows import checkout

BRANCH = "made"
WHO = ("-c", "user.name=A", "-c", "user.email=a@example.org")


class Clone:
    """A clone somewhere."""

    def __init__(self, origin, folder):
        subprocess.run(["git", "clone", "-q", str(origin), str(folder)], check=True)
        self.folder = folder

    def git(self, *words):
        command = ["git", *WHO, *words]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, **files):
        """Files by their names, `dvc_lock` for dvc.lock."""
        for name, text in files.items():
            path = self.folder / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def commit(self, branch="main", **files):
        self.write(**files)
        self.git("add", "--all")
        self.git("commit", "-q", "-m", "work")
        self.git("push", "-q", "origin", f"HEAD:{branch}")

    def read(self, name):
        return (self.folder / name).read_text()


@pytest.fixture
def person(tmp_path):
    """Somebody with a clone of an origin that has code, a lock and a report."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "origin")], check=True)
    clone = Clone(tmp_path / "origin", tmp_path / "person")
    clone.git("checkout", "-q", "-b", "main")
    clone.commit(code_py="1", dvc_lock="a: 1\nb: 1\n", reports__results_md="1")
    return clone


@pytest.fixture
def worker(person, tmp_path, monkeypatch):
    """The worker's clone, which is the current folder."""
    clone = Clone(tmp_path / "origin", tmp_path / "worker")
    monkeypatch.chdir(clone.folder)
    monkeypatch.setenv("DDA_BRANCH", BRANCH)
    return clone


def test_without_a_branch_nothing_is_touched(worker, monkeypatch):
    monkeypatch.delenv("DDA_BRANCH")
    worker.write(code_py="changed", dvc_lock="a: 2\n")
    assert "used as it is" in checkout.update()
    assert "nothing is committed" in checkout.save("x")
    assert worker.git("status", "--porcelain") == "M code.py\n M dvc.lock"


def test_what_was_made_is_committed_and_pushed_to_the_branch_alone(worker, person):
    checkout.update()
    worker.write(dvc_lock="a: 2\nb: 1\n", reports__new_md="new")
    assert "pushed" in checkout.save("Nightly: what was made")
    assert "nothing new" in checkout.save("Nightly: what was made")
    person.git("fetch", "-q")
    assert person.git("show", f"origin/{BRANCH}:dvc.lock") == "a: 2\nb: 1"
    assert person.git("show", f"origin/{BRANCH}:reports/new.md") == "new"
    assert person.git("show", "origin/main:dvc.lock") == "a: 1\nb: 1"
    assert person.git("log", "-1", "--format=%s %an", f"origin/{BRANCH}").startswith("Nightly: what was made")


def test_code_of_the_default_branch_arrives_and_its_lock_wins_as_a_whole(worker, person):
    checkout.update()
    worker.write(dvc_lock="a: 2\nb: 1\n", reports__results_md="2")
    checkout.save("one")
    person.commit(code_py="2", dvc_lock="a: 1\nb: 3\n")
    checkout.update()
    assert worker.read("code.py") == "2"
    assert worker.read("dvc.lock") == "a: 1\nb: 3\n"  # no mixture of both, which no run ever made
    assert worker.read("reports/results.md") == "2"  # they did not touch it
    assert worker.git("status", "--porcelain") == ""


def test_the_same_lines_changed_by_both_are_no_conflict_in_what_was_made(worker, person):
    checkout.update()
    worker.write(dvc_lock="a: 2\n", reports__results_md="2")
    checkout.save("one")
    person.git("rm", "-q", "reports/results.md")
    person.commit(dvc_lock="a: 3\n")
    checkout.update()
    assert worker.read("dvc.lock") == "a: 3\n"
    assert not (worker.folder / "reports/results.md").exists()


def test_what_an_interrupted_run_made_is_kept(worker):
    checkout.update()
    worker.write(dvc_lock="a: 2\n")
    checkout.update()
    assert worker.read("dvc.lock") == "a: 2\n"
    assert worker.git("log", "-1", "--format=%s") == "what an interrupted run had made"


def test_an_interrupted_merge_is_made_anew(worker, person):
    checkout.update()
    worker.write(dvc_lock="a: 2\n")
    checkout.save("one")
    person.commit(dvc_lock="a: 3\n")
    worker.git("fetch", "-q")
    subprocess.run(["git", "merge", "-q", "origin/main"], cwd=worker.folder, capture_output=True, check=False)
    checkout.update()
    assert worker.read("dvc.lock") == "a: 3\n"


def test_two_clones_that_push_to_one_branch_both_arrive(worker, person, tmp_path):
    checkout.update()
    worker.write(reports__a_md="mine")
    checkout.save("mine")
    other = Clone(tmp_path / "origin", tmp_path / "other")
    other.git("checkout", "-q", BRANCH)
    other.commit(BRANCH, reports__b_md="theirs")
    worker.write(reports__c_md="mine again")
    assert "pushed" in checkout.save("again")
    other.git("pull", "-q", "origin", BRANCH)
    assert sorted(path.name for path in (other.folder / "reports").iterdir()) == ["a.md", "b.md", "c.md", "results.md"]


def test_a_change_that_no_flow_makes_is_refused_by_name(worker):
    worker.write(code_py="changed here")
    with pytest.raises(SetupError, match=r"changes that no flow makes: code\.py"):
        checkout.update()
    assert worker.read("code.py") == "changed here"


def test_code_that_cannot_be_merged_is_refused_and_nothing_is_left_half(worker, person):
    checkout.update()
    worker.git("commit", "-q", "--allow-empty", "-m", "x")
    worker.commit(BRANCH, code_py="theirs")
    person.commit(code_py="mine")
    with pytest.raises(SetupError, match=r"origin/main cannot be merged into made: they differ in code\.py"):
        checkout.update()
    assert worker.git("status", "--porcelain") == ""


def test_an_origin_that_is_away_is_told_in_gits_words(worker, tmp_path):
    (tmp_path / "origin").rename(tmp_path / "gone")
    with pytest.raises(SetupError, match=r"git fetch failed: (?s:.*)does not (exist|appear)"):
        checkout.update()


def test_the_command_ends_with_the_status_of_a_setup_error(worker, capsys):
    worker.write(code_py="changed here")
    assert checkout.main() == 2
    assert "flows.checkout: the worker's checkout has changes" in capsys.readouterr().err
    Path("code.py").write_text("1")
    assert checkout.main() == 0
