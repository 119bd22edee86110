"""What `make deploy` makes on a server, and makes again."""

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolUpdate

from flows import deploy

pytestmark = pytest.mark.usefixtures("server")


def test_the_pool_lets_in_one_run_and_keeps_a_limit_that_somebody_chose():
    with get_client(sync_client=True) as client:
        deploy.pool("tested")
        assert client.read_work_pool("tested").type == "process"
        assert client.read_work_pool("tested").concurrency_limit == 1
        client.update_work_pool("tested", WorkPoolUpdate(concurrency_limit=3))
        deploy.pool("tested")
        assert client.read_work_pool("tested").concurrency_limit == 3


def test_the_watch_is_one_however_often_it_is_made():
    deploy.watch(90)
    deploy.watch(120)
    with get_client(sync_client=True) as client:
        (found,) = client.read_automations_by_name(deploy.ZOMBIES)
    assert found.trigger.within.total_seconds() == 120
    assert found.enabled


def test_without_a_server_it_says_what_to_do(monkeypatch, capsys):
    class Nowhere:
        class api:  # noqa: N801
            url = None

    monkeypatch.setattr(deploy, "get_current_settings", Nowhere)
    assert deploy.main() == 2
    assert "PREFECT_API_URL is not set" in capsys.readouterr().err
