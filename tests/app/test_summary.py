import shutil
import subprocess


def test_the_summary_shows_results_two_verdicts_and_where_to_look(line):
    done = subprocess.run(["dda", "summary"], capture_output=True, text=True, check=True)
    assert "embedded" in done.stdout
    assert "aligned-tiny" in done.stdout
    assert "5 real, 5 fake" in done.stdout
    assert done.stdout.count("judged ") == 2
    assert str((line.paths.reports / "index.html").resolve()) in done.stdout
    assert f"sqlite:///{line.paths.reports.parent.resolve()}/artifacts/mlflow/mlflow.db" in done.stdout


def test_a_detector_out_of_the_cache_without_a_run_is_no_failure(copied_line):
    shutil.rmtree("artifacts/mlflow")
    done = subprocess.run(["dda", "summary"], capture_output=True, text=True, check=True)
    assert "nothing recorded at sqlite:///" in done.stdout


def test_without_results_the_summary_says_what_to_do(project):
    project({})
    done = subprocess.run(["dda", "summary"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "run `dvc repro`" in done.stderr
