"""The local services: started together, well, stopped without a trace, and nothing lost when they start again."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from honcho.environ import parse_procfile

from dda import quiet
from dda.core.errors import SetupError
from flows import health, serve
from tests import serving

ROOT = Path(__file__).parents[2]
WRITE = """
import mlflow, prefect
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolUpdate
from dda.io import s3
s3.put(s3.client(), s3.place("s3://dda/sets"), "kept", b"kept", {})
with mlflow.start_run() as run:
    mlflow.log_metric("kept", 4)
    mlflow.log_text("kept", "kept.txt")
with get_client(sync_client=True) as client:
    client.update_work_pool("gpu", WorkPoolUpdate(concurrency_limit=3))
print(run.info.run_id)
"""


def services_command(*arguments):
    command = [sys.executable, "-m", "flows.serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=serving.environment({}), cwd=ROOT, check=False)


def check(file):
    return services_command("check", "--env", file)


def python(program, values):
    command = [sys.executable, "-c", program]
    environment = serving.environment(values)
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout


def text(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


@pytest.mark.slow
def test_services_start_together_and_leave_nothing_behind_but_their_data(tmp_path):
    file, values = serving.write_settings(tmp_path)
    folder = tmp_path / "data"
    with serving.running(file, folder) as first:
        processes = first.wait()
        told = check(file)
        assert told.returncode == 0, told.stdout
        assert [line.split()[0] for line in told.stdout.splitlines()] == list(serve.NAMES)
        assert "1 online, 1 run(s) at once" in told.stdout
        run_id = python(WRITE, values).split()[-1]
        again = services_command("start", "--env", file, "--folder", folder)
        assert again.returncode == 2
        assert f"the services of {folder} run already, process {first.process.pid}: stop them" in again.stderr
        (rclone,) = [one for one in processes if one.name() == "rclone"]
        rclone.kill()
        assert first.process.wait(30) == 2
        assert "a service ended by itself, and so all were stopped" in first.said()
        assert [one for one in processes if one.is_running()] == []
    with serving.running(file, folder) as second:
        processes = second.wait()
        kept = list((folder / "s3/dda/mlflow").rglob("kept.txt"))
        assert [path.read_text() for path in kept] == ["kept"]
        assert (folder / "s3/dda/sets/kept").read_text() == "kept"
        assert '"key": "kept"' in text(f"{values['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/runs/get?run_id={run_id}")
        assert "3 run(s) at once" in second.said()
        assert second.stop(signal.SIGINT) == 0
        assert [one for one in processes if one.is_running()] == []
    told = check(file)
    assert told.returncode == 1
    assert told.stdout.count("NOT WELL: no answer") == 4


def test_procfile_and_addresses_name_the_same_services():
    assert tuple(parse_procfile((ROOT / "Procfile").read_text()).processes) == serve.NAMES
    assert set(health.ASKED) == set(serve.NAMES)


def test_settings_keep_everything_quiet_and_local():
    values = serve.read(ROOT / "services.env")
    lines = [line for line in quiet.FILE.read_text().splitlines() if line and not line.startswith("#")]
    assert set(lines) <= {f"{name}={value}" for name, value in values.items()}
    assert "127.0.0.1" in values["AWS_ENDPOINT_URL"]
    assert not [name for name in values if name.startswith("AWS_") and "RCLONE" in name]


def test_a_shell_reads_the_settings_as_we_do():
    command = ["sh", "-c", "set -a; . ./services.env; exec env"]
    shown = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={"PATH": os.environ["PATH"]}, check=True
    )
    values = serve.read(ROOT / "services.env")
    assert {f"{name}={value}" for name, value in values.items()} <= set(shown.stdout.splitlines())


@pytest.mark.parametrize("line", ["A = b", 'A="b"', "export A=b", "A=b c", "A", "A=$HOME", "A=http://a/?b&c"])
def test_a_line_that_not_everybody_reads_alike_is_told(tmp_path, line):
    (tmp_path / "env").write_text(f"# ours\nB=\n{line}\n")
    with pytest.raises(SetupError, match="env, line 3: write NAME=value, without spaces, quotes or"):
        serve.read(tmp_path / "env")
    with pytest.raises(SetupError, match="no settings of services at"):
        serve.read(tmp_path / "missing")


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("http://127.0.0.1:9010", True),
        ("http://localhost:9010", True),
        ("http://[::1]:9010", True),
        ("https://s3.example.org", False),
        ("http://10.0.0.7:9010", False),
        ("", False),
    ],
)
def test_only_what_is_on_this_machine_is_started(monkeypatch, address, local):
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    assert serve.is_local("s3") is local
    assert serve.is_local("worker")


def test_a_port_that_is_taken_is_told_with_the_line_to_change(tmp_path, monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        file, values = serving.write_settings(tmp_path, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{port}")
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SetupError) as told:
            serve.start(file, tmp_path / "data")
    (number,) = [n for n, line in enumerate(file.read_text().splitlines(), 1) if line.startswith("MLFLOW_TRACKING")]
    said = f"mlflow cannot listen on 127.0.0.1:{port} (Address already in use): stop what does, or write another port "
    assert str(told.value) == f"{said}into line {number} of {file} (MLFLOW_TRACKING_URI)"


@pytest.mark.parametrize(("variable", "name"), [("MLFLOW_TRACKING_URI", "mlflow"), ("PREFECT_API_URL", "worker")])
def test_an_address_that_is_none_is_told(monkeypatch, variable, name):
    monkeypatch.setenv(variable, "sqlite:///runs.db")
    with pytest.raises(SetupError, match=re.escape(f"{variable} is 'sqlite:///runs.db', where {name} should be")):
        health.of(name)


def test_an_address_is_shown_without_its_password(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://anna:secret@example.org/mlflow")
    assert health.address("mlflow") == "https://example.org/mlflow"


def test_encryption_reaches_the_mlflow_server(monkeypatch, tmp_path):
    for name, value in serve.read(ROOT / "services.env").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DDA_ENCRYPTION", "aws:kms")
    monkeypatch.setenv("DDA_KMS_KEY", "a-key")
    told = serve._settings(tmp_path)
    assert told["MLFLOW_S3_UPLOAD_EXTRA_ARGS"] == '{"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "a-key"}'
