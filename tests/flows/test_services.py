"""Steps outside DVC: the remote, publishing, the registry and the gate; `dda` is a stand-in where those are."""

import json
import subprocess
from pathlib import Path

import pytest
from prefect import flow

from dda.core.errors import SetupError
from dda.io import remote
from flows import receipts, services
from flows.commands import CommandError
from tests import stores
from tests.flows.conftest import repro

pytestmark = pytest.mark.usefixtures("server")
PROMOTED = {"outcome": "promoted", "version": 5, "champion": 3, "reasons": [], "checks": []}


@pytest.fixture
def soon(monkeypatch):
    """Retries at once."""
    for name in ("fetch", "push", "publish", "register", "promote"):
        monkeypatch.setattr(services, name, getattr(services, name).with_options(retry_delay_seconds=0))


def within(step):
    """Run a step within a flow."""

    @flow
    def one():
        return step()

    return one()


def test_without_a_remote_nothing_is_pushed_and_the_run_goes_on(project):
    project()
    assert within(services.push) is False


def test_what_is_pushed_arrives_in_a_clone_that_lacks_it(project, tmp_path, rclone_store, monkeypatch):
    folder = project(one={"cmd": "echo 1 > one.txt", "outs": ["one.txt"]})
    repro()
    stores.use(monkeypatch, rclone_store.address)
    monkeypatch.setenv("DDA_REMOTE", f"s3://{stores.BUCKET}/flows")
    assert within(services.push) is True
    for path in (folder / "one.txt", folder / ".dvc/cache"):
        subprocess.run(["rm", "-rf", str(path)], check=True)
    assert within(services.fetch) == ["one"]
    assert (folder / "one.txt").read_text() == "1\n"
    assert stores.SECRET not in (folder / ".dvc/config.local").read_text()


def test_what_the_store_never_had_is_left_to_be_made(project, rclone_store, monkeypatch):
    project(one={"cmd": "echo 1 > one.txt", "outs": ["one.txt"]})
    stores.use(monkeypatch, rclone_store.address)
    monkeypatch.setenv("DDA_REMOTE", f"s3://{stores.BUCKET}/never")
    assert within(services.fetch) == ["one"]
    assert not Path("one.txt").exists()


def test_photos_that_others_committed_replace_those_in_the_workers_clone(project, rclone_store, monkeypatch):
    """DVC alone would take the older photos for a change, and undo `data.dvc`."""
    folder = project()
    stores.use(monkeypatch, rclone_store.address)
    monkeypatch.setenv("DDA_REMOTE", f"s3://{stores.BUCKET}/photos")
    for text in ("old", "new"):
        (folder / "data").mkdir(exist_ok=True)
        (folder / "data/photo").write_text(text)
        subprocess.run(["dvc", "add", "-q", "data"], check=True)
        within(services.push)
    (folder / "data/photo").write_text("old")  # as after a merge that brought the new data.dvc
    monkeypatch.setenv("DDA_BRANCH", "made")
    within(services.fetch)
    assert (folder / "data/photo").read_text() == "new"


def test_a_service_that_comes_back_is_tried_again(project, stand_in, soon):
    project()
    code = """
    tried = Path("tried.txt")
    if not tried.exists():
        tried.write_text("once")
        print("dda: no answer from http://127.0.0.1:9: run again", file=sys.stderr)
        sys.exit(2)
    """
    stand_in(code)
    within(services.register)
    assert services.is_registered()


@pytest.mark.parametrize("status", [1, 2])
def test_a_wrong_setup_is_not_tried_again(project, stand_in, soon, status):
    project()
    stand_in(f"open('tries.txt', 'a').write('x'); print('dda: no detector of this name'); sys.exit({status})")
    with pytest.raises(CommandError, match="no detector of this name"):
        within(services.register)
    assert Path("tries.txt").read_text() == "x"
    assert not services.is_registered()


def test_a_receipt_holds_until_what_it_is_for_changes(project, stand_in, monkeypatch):
    project()
    stand_in("")
    Path("dvc.lock").write_text("a: 1")
    within(services.register)
    assert services.is_registered()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    assert not services.is_registered()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    Path("dvc.lock").write_text("a: 2")
    assert not services.is_registered()


@pytest.mark.parametrize(
    ("outcome", "status", "judged"), [("promoted", 0, True), ("refused", 1, True), ("rolled back", 1, False)]
)
def test_the_gates_answer_is_read_whatever_it_is(project, stand_in, outcome, status, judged):
    project()
    told = PROMOTED | {"outcome": outcome}
    stand_in(f"assert words == ['promote', 'challenger', '--json']; print('{json.dumps(told)}'); sys.exit({status})")
    assert within(lambda: services.promote("challenger")) == told
    assert services.is_judged() is judged


def test_a_gate_that_broke_is_no_refusal(project, stand_in, soon):
    project()
    stand_in("raise RuntimeError('broken')")
    with pytest.raises(CommandError, match="no JSON document"):
        within(lambda: services.promote("challenger"))


def killed(event, resource):
    raise RuntimeError("killed before it could tell")


def test_a_published_version_is_told_once_also_after_a_run_that_died_before_it_could(
    aligned, stand_in, rclone_store, monkeypatch, tmp_path
):
    """A real set to a real store, by the real command."""
    told = []
    monkeypatch.setattr(services, "emit_event", lambda event, resource: told.append((event, resource)))
    stores.use(monkeypatch, rclone_store.address)
    monkeypatch.setenv("DDA_PUBLISH", f"s3://{stores.BUCKET}/told")
    (tmp_path / "params.yaml").write_text((Path(__file__).parents[2] / "params.yaml").read_text())
    assert not services.is_published("tiny", aligned)
    with monkeypatch.context() as dying:
        dying.setattr(services, "emit_event", killed)
        with pytest.raises(RuntimeError, match="killed before it could tell"):
            within(lambda: services.publish("tiny", aligned))
    version = within(lambda: services.publish("tiny", aligned))
    again = within(lambda: services.publish("tiny", aligned))
    assert again == version
    assert services.is_published("tiny", aligned)
    assert [(event, resource["prefect.resource.id"], resource["dda.version"]) for event, resource in told] == [
        ("dataset.published", "dda.dataset.tiny", version)
    ]


def test_receipts_are_of_bytes_and_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("1")
    before = receipts.key([Path("a"), Path("b")], "x", None)
    receipts.write("step", before)
    assert receipts.holds("step", before)
    assert before != receipts.key([Path("a"), Path("b")], None, "x")
    Path("b").write_text("")
    assert before != receipts.key([Path("a"), Path("b")], "x", None)


class TestRemote:
    """remote.use: what the environment says, in the file that git ignores."""

    @pytest.fixture(autouse=True)
    def inside(self, project):
        project()

    def test_unset_touches_nothing(self):
        assert remote.use() is None
        assert not Path(".dvc/config.local").exists()

    def test_it_is_written_once_and_follows_the_environment(self, monkeypatch):
        monkeypatch.setenv("DDA_REMOTE", "s3://one/dvc")
        monkeypatch.setenv("DDA_ENCRYPTION", "aws:kms")
        monkeypatch.setenv("DDA_KMS_KEY", "key-1")
        assert remote.use() == "dda"
        path = Path(".dvc/config.local")
        text, moment = path.read_text(), path.stat().st_mtime_ns
        assert "sse = aws:kms" in text
        assert "sse_kms_key_id = key-1" in text
        remote.use()
        assert path.stat().st_mtime_ns == moment
        monkeypatch.delenv("DDA_ENCRYPTION")
        monkeypatch.delenv("DDA_KMS_KEY")
        remote.use()
        assert "sse" not in path.read_text()
        assert "s3://one/dvc" in path.read_text()

    def test_a_remote_of_somebodys_own_stays_the_default(self, monkeypatch):
        subprocess.run(["dvc", "remote", "add", "-q", "--local", "--default", "mine", "s3://mine/dvc"], check=True)
        monkeypatch.setenv("DDA_REMOTE", "s3://one/dvc")
        remote.use()
        assert "remote = mine" in Path(".dvc/config.local").read_text()

    @pytest.mark.parametrize(
        ("names", "words"),
        [
            ({"DDA_REMOTE": "https://me:secret@host/dvc"}, "holds a name or password"),
            (
                {"DDA_REMOTE": "s3://a/b", "DDA_ENCRYPTION": "AES"},
                r"'AES', which S3 does not know. Did you mean 'AES256'",
            ),
            ({"DDA_REMOTE": "s3://a/b", "DDA_KMS_KEY": "k"}, "a key that nothing would use"),
        ],
    )
    def test_what_cannot_be_is_refused(self, monkeypatch, names, words):
        for name, value in names.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SetupError, match=words) as caught:
            remote.use()
        assert "secret" not in str(caught.value)
