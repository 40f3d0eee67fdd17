"""Set-up by the fake Public API: a new source takes events at once, and a key is changed without a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from support.workspace_lookalike import MEMBER_TOKEN, WorkspaceLookalike

ALPHA = "application/vnd.segment.v1alpha+json, application/json"
SURVEY = "SDK - Submitted - Survey Response"
Ask = Callable[..., httpx.Response]
NEW = {"slug": "sprig-dev", "enabled": True, "metadataId": "iUM16Md8P2"}


def test_new_source_takes_events(
    api: WorkspaceLookalike, ask: Ask, send: Callable[..., None], count: Callable[..., Any]
) -> None:
    made = ask("/sources", method="POST", body=NEW)
    assert made.status_code == 201
    source = made.json()["data"]["source"]
    (key,) = source["writeKeys"]
    path = f"/sources/{source['id']}"
    named = ask(path, method="PATCH", body={"name": "Sprig dev"}).json()["data"]["source"]
    assert (named["name"], named["slug"], named["enabled"]) == ("Sprig dev", "sprig-dev", True)
    labelled = ask(f"{path}/labels", method="POST", body={"labels": [{"key": "environment", "value": "dev"}]})
    assert labelled.json()["data"]["labels"] == [{"key": "environment", "value": "dev", "description": ""}]
    send("m1", key=key)
    assert count("successfully-received", source=3) == {SURVEY: 1}
    assert api.sink.received[-1].source == "Sprig dev"
    assert ask(path, method="DELETE").json()["data"] == {"status": "SUCCESS"}
    assert ask(path).status_code == 404
    send("m2", key=key)
    assert api.sink.stats.rejected == {"unknown_source": 1}


def test_key_is_added_and_dropped(api: WorkspaceLookalike, ask: Ask, send: Callable[..., None]) -> None:
    path = f"/sources/{api.sources[0]['id']}/writekey"
    (old,) = api.sources[0]["writeKeys"]
    assert ask(path, method="POST", accept="application/vnd.segment.v1+json").status_code == 404
    kept, new = ask(path, method="POST", accept=ALPHA).json()["data"]["source"]["writeKeys"]
    assert kept == old
    assert len(new) == 32
    send("m1", key=new)
    assert ask(f"{path}/{old}", method="DELETE", accept=ALPHA).json()["data"] == {"status": "SUCCESS"}
    send("m2", key=old)
    assert [one.event["messageId"] for one in api.sink.received] == ["m1"]
    assert ask(f"{path}/{old}", method="DELETE", accept=ALPHA).status_code == 404


def test_new_destination_masks_its_secrets_and_gets_mappings(api: WorkspaceLookalike, ask: Ask) -> None:
    kinds = ask("/catalog/destinations").json()["data"]["destinationsCatalog"]
    braze = next(one["id"] for one in kinds if one["slug"] == "braze")
    body = {"sourceId": api.sources[1]["id"], "metadataId": braze, "settings": {"apiKey": "secretOfBraze", "n": 1}}
    made = ask("/destinations", method="POST", body=body).json()["data"]["destination"]
    assert made["settings"] == {"apiKey": "secr••••••••", "n": 1}
    mapping = {"name": "Track", "actionId": "act1", "trigger": 'type = "track"', "enabled": True}
    path = f"/destinations/{made['id']}/subscriptions"
    answers = [ask(path, method="POST", accept=ALPHA, body=mapping) for _ in range(6)]
    assert [one.status_code for one in answers] == [200] * 5 + [429]
    assert answers[0].json()["data"]["destinationSubscription"]["trigger"] == 'type = "track"'
    assert len(ask(path, accept=ALPHA).json()["data"]["subscriptions"]) == 5
    assert ask(f"/destinations/{made['id']}", method="DELETE").status_code == 200
    assert api.workspace.subscriptions == []


def test_labels_must_exist_and_put_replaces_them(api: WorkspaceLookalike, ask: Ask) -> None:
    path = f"/sources/{api.sources[0]['id']}/labels"
    assert ask(path, method="POST", body={"labels": [{"key": "team", "value": "x"}]}).status_code == 422
    made = {"label": {"key": "team", "value": "x", "description": "of the web"}}
    assert ask("/labels", method="POST", body=made).status_code == 201
    assert ask("/labels", method="POST", body=made).status_code == 409
    replaced = ask(path, method="PUT", body={"labels": [{"key": "team", "value": "x"}]}).json()["data"]["labels"]
    assert [(one["key"], one["value"]) for one in replaced] == [("team", "x")]
    assert len(ask("/labels").json()["data"]["labels"]) == 3


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "/sources", {**NEW, "slug": "acme-dev"}, 409, "slug"),
        ("POST", "/sources", {**NEW, "slug": ""}, 422, "slug"),
        ("POST", "/sources", {**NEW, "enabled": "yes"}, 422, "enabled"),
        ("POST", "/sources", {**NEW, "metadataId": "m-unknown"}, 422, "metadataId"),
        ("PATCH", "/sources/{source}", {"slug": "acme-dev"}, 409, "slug"),
        ("PATCH", "/sources/nobody", {"name": "x"}, 404, None),
        ("POST", "/destinations", {"sourceId": "nobody"}, 404, None),
        ("POST", "/destinations", {"sourceId": "{source}", "metadataId": "mbraze"}, 422, "settings"),
        ("POST", "/labels", {}, 422, "labels"),
        ("POST", "/destinations/{destination}/subscriptions",
         {"name": "x", "actionId": "a", "trigger": "(", "enabled": True}, 422, "trigger"),
    ],
)  # fmt: skip
def test_invalid_set_up_is_rejected(
    api: WorkspaceLookalike, ask: Ask, method: str, path: str, body: dict[str, Any], status: int, field: str | None
) -> None:
    ids = {"source": api.sources[0]["id"], "destination": api.destinations[0]["id"]}
    filled = {name: ids["source"] if value == "{source}" else value for name, value in body.items()}
    answer = ask(path.format(**ids), method=method, body=filled)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error.get("field")) == (status, field)


def test_member_sets_nothing_up(api: WorkspaceLookalike, ask: Ask) -> None:
    assert ask("/sources", method="POST", body=NEW, token=MEMBER_TOKEN).status_code == 401
    assert ask(f"/sources/{api.sources[0]['id']}", method="DELETE", token=MEMBER_TOKEN).status_code == 401
    assert len(api.sources) == 3
