"""What was decided about versions is kept in order, whole, and also where it was never finished."""

import json
from pathlib import Path

import pytest

from dda.io import promotions
from dda.io.registry import Registry
from tests.registries import MODEL


@pytest.fixture
def registry(in_store):
    return Registry.open(MODEL)


def test_an_event_is_begun_and_finished_with_its_document(registry, tmp_path):
    event = promotions.begin(registry, "promote", {"version": "2", "champion": "1"})
    (begun,) = promotions.events(registry)
    assert (begun.id, begun.action, begun.outcome) == (event, "promote", None)
    promotions.finish(registry, event, "refused", {"reasons": ["worse on tiny"]})
    (finished,) = promotions.events(registry)
    assert (finished.outcome, finished.facts) == ("refused", {"version": "2", "champion": "1"})
    kept = registry.client.download_artifacts(event, "verdict.json", str(tmp_path))
    assert json.loads(Path(kept).read_text()) == {"reasons": ["worse on tiny"]}
    assert registry.client.get_run(event).info.status == "FINISHED"


def test_events_stand_in_their_order_and_those_of_other_models_apart(registry):
    ids = [promotions.begin(registry, action, {}) for action in ("promote", "rollback", "promote")]
    promotions.begin(Registry("another"), "promote", {})
    assert [event.id for event in promotions.events(registry)] == ids


def test_finishing_twice_is_finishing_once(registry):
    event = promotions.begin(registry, "promote", {})
    for _ in range(2):
        promotions.finish(registry, event, "promoted", {"reasons": []})
    assert [one.outcome for one in promotions.events(registry)] == ["promoted"]


def test_without_a_store_nothing_was_decided(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert promotions.events(Registry.open(MODEL)) == []
    assert list(tmp_path.iterdir()) == []
