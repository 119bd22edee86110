"""The servers of MLflow and Prefect keep their data in PostgreSQL (docs/deploy.md)."""

import subprocess
import sys

import pytest

from tests import serving

RUNS = """
import mlflow
from prefect import flow

@flow
def counted(n: int) -> int:
    return n + 1

with mlflow.start_run() as run:
    mlflow.log_metric("kept", counted(3))
client = mlflow.MlflowClient()
client.create_registered_model("dda-detector")
client.set_registered_model_tag("dda-detector", "kept", "yes")
print(run.info.run_id)
"""
ASKED = {
    "mlflow": "select json_build_array((select value from metrics), (select value from registered_model_tags))",
    "prefect": "select json_build_array((select name from flow), (select state_type::text from flow_run))",
}


@pytest.mark.slow
@pytest.mark.skipif(serving.postgres_programs() is None, reason="PostgreSQL is not installed")
def test_runs_of_both_servers_lie_in_postgresql(tmp_path):
    import psycopg2

    with serving.postgres("mlflow", "prefect") as address:
        databases = {
            "MLFLOW_BACKEND_STORE_URI": f"postgresql+psycopg2://{address}/mlflow",
            "PREFECT_API_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{address}/prefect",
        }
        file, values = serving.write_settings(tmp_path, **databases)
        with serving.running(file, tmp_path / "data") as started:
            started.wait()
            command = [sys.executable, "-c", RUNS]
            subprocess.run(command, env=serving.environment(values), capture_output=True, check=True)
            assert started.stop() == 0
            assert "of-tests" not in started.said()
        found = {}
        for name, query in ASKED.items():
            with psycopg2.connect(f"postgresql://{address}/{name}") as connection, connection.cursor() as cursor:
                cursor.execute(query)
                found[name] = cursor.fetchone()[0]
            connection.close()
    assert found == {"mlflow": [4, "yes"], "prefect": ["counted", "COMPLETED"]}
    assert not list((tmp_path / "data").rglob("*.db"))
