import hashlib
import http.server
import importlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from dda.core.errors import SetupError
from dda.io import devices, executors
from dda.stages import index, reconstruct

TASKS = '''
import os, signal, threading, time
from pathlib import Path

from dda.core.errors import SetupError


def square(item, report):
    report(1)
    return item * item


def here(_item, _report):
    time.sleep(0.2)
    return os.getpid(), os.getcwd(), os.environ.get("DDA_DEVICE"), os.environ.get("WORD")


def refuse(item, _report):
    raise SetupError(f"no photos in {item!r}: name another folder")


def divide(item, _report):
    return 1 / item


def answer_what_cannot_be_sent(_item, _report):
    return lambda: None


def noted(folder, item, report, deaths=1):
    """Note each attempt; die in the middle of item 3, so many times."""
    report(2)
    with Path(folder, str(item)).open("a") as file:
        file.write("x")
    if item == 3 and Path(folder, "3").stat().st_size <= deaths:
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)
    report(3)
    return item


def large(item, _report):
    return bytes([item]) * 10_000_000


def killed_while_answering(folder, item, report):
    """Item 0 makes the parent wait; meanwhile item 1 dies with its large answer half sent, the first time."""
    told = Path(folder, "told")
    if item == 1 and not told.exists():
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGKILL)).start()
        told.with_suffix(".new").write_text(str(os.getpid()))
        told.with_suffix(".new").rename(told)
        time.sleep(0.5)
    while item == 0 and not told.exists():
        time.sleep(0.01)
    report(1)
    return large(item, report)


def linger(folder, item, _report):
    Path(folder, str(item)).touch()
    time.sleep(60)
'''
SCRIPT = """
import sys
from functools import partial

import worker_tasks

from dda.io import executors

if __name__ == "__main__":
    with executors.start("local", 1) as executor:
        list(executor.map(partial(worker_tasks.linger, sys.argv[1]), [1, 2], print))
"""
linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """A module that workers import by its name, as they do a stage's."""
    folder = tmp_path_factory.mktemp("tasks")
    (folder / "worker_tasks.py").write_text(TASKS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("worker_tasks")
        sys.modules.pop("worker_tasks")


@pytest.fixture
def workers(monkeypatch):
    """Make a local executor with so many slots; it is closed at the end."""
    monkeypatch.setenv("DDA_DEVICE", "cpu")
    made = []

    def make(count):
        monkeypatch.setattr(devices, "cores", lambda: count)
        made.append(executors.LocalExecutor(1))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def eventually(condition, seconds):
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def session(leader):
    """The processes of a session that are not dead, by their ids."""
    alive = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, owner = path.read_text().rpartition(")")[2].split()[:4]
            command = path.with_name("cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if int(owner) == leader and state not in "ZX":
            alive[int(path.parent.name)] = command
    return alive


@pytest.mark.parametrize("count", [1, 2, 4])
def test_every_item_has_its_result_whatever_the_number_of_workers(tasks, workers, count):
    done = []
    results = list(workers(count).map(tasks.square, range(10), done.append))
    assert sorted(results) == [n * n for n in range(10)]
    assert sum(done) == 10


def test_no_items_need_no_worker(tasks, workers):
    executor = workers(2)
    assert list(executor.map(tasks.square, [], str)) == []
    assert executor.idle == []


def test_workers_are_started_only_when_there_is_work_and_used_again(tasks, workers):
    executor = workers(8)
    first = {pid for pid, *_ in executor.map(tasks.here, [0, 1], str)}
    assert len(first) == 2
    assert {pid for pid, *_ in executor.map(tasks.here, [0, 1], str)} == first


def test_workers_have_the_folder_and_the_environment_of_the_moment(tasks, workers, monkeypatch, tmp_path):
    executor = workers(2)
    assert [told[1:] for told in executor.map(tasks.here, [0], str)] == [(str(Path.cwd()), "cpu", None)]
    executor.close()
    monkeypatch.setenv("WORD", "later")
    monkeypatch.chdir(tmp_path)
    assert [told[1:] for told in executor.map(tasks.here, [0], str)] == [(str(tmp_path), "cpu", "later")]
    executor.close()
    monkeypatch.delenv("WORD")
    assert [told[3] for told in executor.map(tasks.here, [0], str)] == [None]


def test_a_killed_worker_costs_its_item_and_nothing_else(tasks, workers, tmp_path, capsys):
    done = []
    assert sorted(workers(2).map(partial(tasks.noted, tmp_path), range(6), done.append)) == list(range(6))
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir()} == {str(n): 1 + (n == 3) for n in range(6)}
    assert sum(done) == 6 * 5
    assert -2 in done
    assert "a worker on cpu was lost (exit status -9" in capsys.readouterr().err


def test_an_item_that_costs_three_workers_is_given_up_and_others_stand(tasks, workers, tmp_path):
    task = partial(tasks.noted, tmp_path, deaths=99)
    with pytest.raises(SetupError, match=r"exit status -9.* 3 over the same work: finished work is kept, run again"):
        list(workers(2).map(task, range(6), str))
    assert (tmp_path / "3").read_text() == "xxx"
    assert {"0", "1", "2"} <= {path.name for path in tmp_path.iterdir()}


def test_a_worker_that_dies_while_idle_is_replaced(tasks, workers):
    executor = workers(1)
    ((pid, *_),) = executor.map(tasks.here, [0], str)
    os.kill(pid, signal.SIGKILL)
    assert list(executor.map(tasks.square, [3], str)) == [9]


def test_a_worker_that_dies_with_half_an_answer_sent_is_replaced(tasks, workers, tmp_path):
    def is_gone():
        return not Path("/proc", (tmp_path / "told").read_text()).exists()

    def wait_for_death(count):
        assert count < 0 or eventually(is_gone, 20)

    results = workers(2).map(partial(tasks.killed_while_answering, tmp_path), [0, 1], wait_for_death)
    assert sorted((answer[0], len(answer)) for answer in results) == [(0, 10_000_000), (1, 10_000_000)]


def test_results_larger_than_a_pipe_come_whole(tasks, workers):
    results = sorted(workers(2).map(tasks.large, [1, 2, 3], str))
    assert [(len(result), set(result)) for result in results] == [(10_000_000, {n}) for n in (1, 2, 3)]


def test_a_setup_error_reaches_the_parent_as_it_is(tasks, workers):
    with pytest.raises(SetupError, match=r"^no photos in 'x': name another folder$"):
        list(workers(2).map(tasks.refuse, ["x"], str))


def test_another_error_reaches_the_parent_with_its_traceback(tasks, workers):
    executor = workers(2)
    with pytest.raises(RuntimeError, match=r"(?s)^on cpu of .*in divide.*ZeroDivisionError: division by zero"):
        list(executor.map(tasks.divide, [0], str))
    assert list(executor.map(tasks.divide, [2], str)) == [0.5]


def test_a_task_that_workers_cannot_import_is_told_with_the_reason(tasks, workers, monkeypatch):
    elsewhere = type(sys)("only_here")
    exec("def task(item, report): return item", elsewhere.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", elsewhere)
    with pytest.raises(RuntimeError, match="No module named 'only_here'"):
        list(workers(1).map(elsewhere.task, [1], str))


def test_answers_to_an_abandoned_map_are_not_taken_for_the_next_ones(tasks, workers):
    executor = workers(2)
    abandoned = executor.map(tasks.here, range(4), str)
    next(abandoned)
    abandoned.close()
    assert sorted(executor.map(tasks.square, [1, 2, 3], str)) == [1, 4, 9]


def test_the_block_ends_all_workers_also_after_an_error(tasks, workers):
    workers(2)  # the machine has two cores
    pids = []

    def work():
        with executors.start("local", 1) as executor:
            pids.extend(pid for pid, *_ in executor.map(tasks.here, [0, 1], str))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_where_there_is_no_forkserver_workers_are_spawned(tasks, workers, monkeypatch):
    monkeypatch.setattr(executors, "get_all_start_methods", lambda: ["spawn"])
    executor = workers(1)
    assert list(executor.map(tasks.square, [2, 3], str)) == [4, 9]
    assert "Spawn" in type(executor.idle[0].process).__name__


def test_an_unknown_device_is_told_with_the_reason(tasks, workers, monkeypatch):
    executor = workers(1)
    executor.free = [devices.Slot("cuda:77", 1)]
    with pytest.raises(RuntimeError, match=r"(?s)^on cuda:77 of .*(CUDA|cuda)"):
        list(executor.map(tasks.square, [1], str))


def lingering(folder, task_folder):
    """A process of its own session whose two workers are at work; and all processes of that session."""
    (folder / "script.py").write_text(SCRIPT)
    marks = folder / "marks"
    marks.mkdir()
    environment = os.environ | {"PYTHONPATH": str(task_folder), "DDA_DEVICE": "cpu"}
    with (folder / "log").open("w") as log:
        command = [sys.executable, "script.py", str(marks)]
        process = subprocess.Popen(command, cwd=folder, env=environment, stderr=log, stdout=log, start_new_session=True)
    assert eventually(lambda: len(list(marks.iterdir())) == 2 or process.poll() is not None, 120)
    assert process.poll() is None, (folder / "log").read_text()
    return process, session(process.pid)


@linux
@pytest.mark.slow
def test_ctrl_c_ends_everything_quickly(tasks, tmp_path):
    process, before = lingering(tmp_path, Path(tasks.__file__).parent)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == -signal.SIGINT
    assert len(before) >= 5  # itself, forkserver, resource tracker, two workers
    assert eventually(lambda: not session(process.pid), 20), session(process.pid)
    assert (tmp_path / "log").read_text().count("Traceback") == 1  # the parent's own


@linux
@pytest.mark.slow
def test_nothing_is_left_of_a_killed_parent(tasks, tmp_path):
    process, before = lingering(tmp_path, Path(tasks.__file__).parent)
    process.kill()
    process.wait(10)
    assert len(before) >= 5
    assert eventually(lambda: not session(process.pid), 20), session(process.pid)


@pytest.fixture(scope="module")
def cluster(tasks):
    """A Ray cluster of two nodes with one CPU each, which RAY_ADDRESS names."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(tasks.__file__).parent))
        patch.setenv("DDA_DEVICE", "cpu")
        soon = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500}  # a dead node is noticed
        head = {"num_cpus": 1, "include_dashboard": False, "_system_config": soon}
        made = Cluster(initialize_head=True, head_node_args=head)
        made.add_node(num_cpus=1)
        patch.setenv("RAY_ADDRESS", made.address)
        yield made
        made.shutdown()


@pytest.fixture(scope="module")
def ray_executor(cluster):
    """An executor on that cluster, shared by tests that leave it as it was."""
    handler = signal.getsignal(signal.SIGTERM)
    with executors.start("ray", 1) as executor:
        yield executor
    signal.signal(signal.SIGTERM, handler)


def reconstructing():
    """`dda reconstruct tiny` in the current folder, under way."""
    command = [sys.executable, "-c", "from dda.cli import main; main()", "reconstruct", "tiny"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def taken(folder):
    """The digests of a folder's shards and manifest, after which they are gone."""
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.tar")}
    assert list(folder.glob(".*")) == []
    shutil.rmtree(folder)
    return digests


@pytest.mark.slow
def test_ray_makes_the_same_bytes_as_this_machine_though_a_node_is_killed(cluster, project, tiles):
    photos = dict(list(tiles.items())[:12])
    params = project(photos, reconstruct={"shards": 8, "executor": "local"})
    index.run(params)
    reconstruct.run(params, "tiny")
    folder = params.paths.reconstructions / "tiny"
    expected = taken(folder)
    project(photos, reconstruct={"shards": 8, "executor": "ray"})
    process = reconstructing()
    assert eventually(lambda: len(list(folder.glob("shard-*.json"))) > 1, 60)
    assert len(list(folder.glob("shard-*.json"))) < 6  # so that both nodes still have work
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    told, noise = process.communicate(timeout=600)
    cluster.add_node(num_cpus=1)
    assert "tiny: 12 photos = 12 reconstructed" in told, noise
    assert [line for line in noise.splitlines() if not line.startswith("reconstruct tiny: ")] == []
    assert taken(folder) == expected


@pytest.mark.slow
def test_ray_tells_results_progress_and_works_in_the_folder(tasks, ray_executor, monkeypatch, tmp_path):
    done = []
    assert sorted(ray_executor.map(tasks.square, range(5), done.append)) == [0, 1, 4, 9, 16]
    assert sum(done) == 5
    monkeypatch.chdir(tmp_path)
    told = list(ray_executor.map(tasks.here, range(4), str))
    assert {words[1:3] for words in told} == {(str(tmp_path), "cpu")}
    assert len({words[0] for words in told}) == 2


@pytest.mark.slow
def test_ray_tells_errors_in_the_same_words(tasks, ray_executor, monkeypatch, tmp_path):
    with pytest.raises(SetupError, match=r"^no photos in 'x': name another folder$"):
        list(ray_executor.map(tasks.refuse, ["x"] * 3, str))
    with pytest.raises(RuntimeError, match=r"(?s)^on cpu of .*in divide.*ZeroDivisionError: division by zero"):
        list(ray_executor.map(tasks.divide, [0], str))
    monkeypatch.setattr(Path, "cwd", lambda: tmp_path / "gone")  # as where a node does not share the folder
    with pytest.raises(RuntimeError, match=r"No such file or directory: '.*gone'"):
        list(ray_executor.map(tasks.square, [1], str))


@pytest.mark.slow
def test_ray_does_a_lost_workers_item_again_and_drops_an_abandoned_map(tasks, ray_executor, tmp_path):
    results = ray_executor.map(partial(tasks.noted, tmp_path), [1, 3], str)
    assert sorted(results) == [1, 3]
    assert (tmp_path / "3").read_text() == "xx"
    abandoned = ray_executor.map(partial(tasks.linger, tmp_path), [1, 2, 3, 4], str)
    threading.Timer(1, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        next(abandoned)
    started = time.monotonic()
    assert sorted(ray_executor.map(tasks.square, [2, 3], str)) == [4, 9]
    assert time.monotonic() - started < 40


@pytest.mark.slow
def test_more_cpus_than_any_ray_node_has_are_refused(tasks, ray_executor, monkeypatch):
    monkeypatch.setattr(ray_executor, "cpus", 3)
    with pytest.raises(SetupError, match=r"no node .* room for `cpus_per_worker: 3`.*: 1 CPUs, 0 GPUs; 1 CPUs, 0 GPUs"):
        list(ray_executor.map(tasks.square, [1], str))


@pytest.mark.slow
def test_a_ray_node_with_another_dda_is_told(tasks, cluster, ray_executor, monkeypatch, tmp_path):
    (tmp_path / "dda").mkdir()
    (tmp_path / "dda/__init__.py").write_text("raise ImportError('another dda')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ['PYTHONPATH']}")
    monkeypatch.setattr(ray_executor, "cpus", 2)
    node = cluster.add_node(num_cpus=2)
    with pytest.raises(SetupError, match=r"a node needs the same dda and Python: ImportError: another dda$"):
        list(ray_executor.map(tasks.square, [1], str))
    cluster.remove_node(node, allow_graceful=False)


@pytest.mark.slow
def test_when_the_only_ray_nodes_with_room_have_gone_it_is_told(tasks, cluster, ray_executor, monkeypatch, tmp_path):
    monkeypatch.setattr(ray_executor, "cpus", 2)
    monkeypatch.setattr(executors, "PATIENCE_S", 1.0)
    node = cluster.add_node(num_cpus=2)
    results = ray_executor.map(partial(tasks.linger, tmp_path), ["begun"], str)

    def leave():
        eventually((tmp_path / "begun").exists, 30)
        cluster.remove_node(node, allow_graceful=False)

    threading.Thread(target=leave).start()
    with pytest.raises(SetupError, match=r"no node of the Ray cluster has room for `cpus_per_worker: 2`"):
        list(results)


class Page(http.server.BaseHTTPRequestHandler):
    """Something else that listens, such as Ray's own web page."""

    def log_message(self, *_):
        pass


@pytest.fixture
def page():
    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def refusal(address, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", address)
    started = time.monotonic()
    with pytest.raises(SetupError) as told, executors.start("ray", 1):
        pass
    assert time.monotonic() - started < 15
    assert str(told.value).startswith(f"no Ray cluster at {address}: ")
    assert "correct RAY_ADDRESS" in str(told.value)
    return str(told.value)


def test_a_wrong_ray_address_is_told_at_once(page, monkeypatch):
    assert "refused" in refusal("127.0.0.1:1", monkeypatch)
    assert "what answers there is not Ray" in refusal(page, monkeypatch)
    assert "Invalid address format" in refusal("nonsense", monkeypatch)


def test_without_ray_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SetupError, match=r"needs Ray: install dda\[ray\], or choose `local`$"):
        executors.RayExecutor(1)


ALONE = """
import ray
import worker_tasks

from dda.io import executors

with executors.start("ray", 1) as executor:
    print(sorted(executor.map(worker_tasks.square, [1, 2, 3], str)), ray.get_runtime_context().gcs_address)
"""


def alone(folder, task_folder, **environment):
    """A finished process that began a Ray cluster of its own: what it said, on both ways, and its session."""
    (folder / "script.py").write_text(ALONE)
    # an empty home: a new cluster writes its token there
    environment |= {"RAY_ADDRESS": "", "HOME": str(folder), "DDA_DEVICE": "cpu", "PYTHONPATH": str(task_folder)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    process = subprocess.Popen([sys.executable, "script.py"], cwd=folder, env=os.environ | environment, **streams)
    return *process.communicate(timeout=600), process.pid


@linux
@pytest.mark.slow
def test_a_ray_cluster_that_nobody_named_is_not_joined_and_our_own_leaves_nothing(cluster, tasks, tmp_path):
    told, noise, leader = alone(tmp_path, Path(tasks.__file__).parent)
    assert told.startswith("[1, 4, 9] "), noise
    assert cluster.address not in told
    assert noise == ""
    assert eventually(lambda: not session(leader), 10), session(leader)


@pytest.mark.slow
def test_work_that_takes_more_memory_than_a_ray_node_has_is_given_up(tasks, tmp_path):
    short = {"RAY_memory_usage_threshold": "0.001", "RAY_memory_monitor_refresh_ms": "100"}
    told, noise, _ = alone(tmp_path, Path(tasks.__file__).parent, **short)
    assert told.count("failed due to oom") <= 3 * 2
    assert "SetupError: work cannot be done on the Ray cluster, 3 losses: " in noise
    assert "running low on memory" in noise
