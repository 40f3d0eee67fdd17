"""Faults of set-up: what the fake Public API does to requests that change the workspace."""

from __future__ import annotations

import pytest

from sprig_tui.errors import ConfigError
from sprig_tui.segment.sink.workspace import FaultKind, parse_fault
from sprig_tui.segment.sink.workspace.errors import ApiError
from sprig_tui.segment.sink.workspace.setup_faults import SetupFaults

CREATE = ("POST", "/sources")
RENAME = ("PATCH", "/sources/{id}")
LABEL = ("POST", "/sources/{id}/labels")
NEW_KEY = ("POST", "/sources/{id}/writekey")


def status(rule: str, asked: tuple[str, str], slug: str = "sprig") -> int:
    """The status of a rejection; 0 for none."""
    try:
        SetupFaults([parse_fault(rule)]).reject(*asked, {"slug": slug})
    except ApiError as error:
        return error.status
    return 0


@pytest.mark.parametrize(
    ("rule", "asked", "expected"),
    [
        ("slug-taken", CREATE, 409),
        ("slug-taken=sprig", CREATE, 409),
        ("slug-taken=other", CREATE, 0),
        ("slug-rejected=sprig", CREATE, 422),
        ("slug-taken", RENAME, 0),
        ("read-only", CREATE, 401),
        ("read-only=403", NEW_KEY, 403),
        ("read-only=402", RENAME, 402),
        ("read-only", ("GET", "/sources"), 0),
        ("read-only", ("POST", "/destination/filters/preview"), 0),
        ("no-rename", RENAME, 500),
        ("no-rename", CREATE, 0),
        ("no-label=401", LABEL, 401),
        ("no-new-key", NEW_KEY, 404),
        ("no-answer", CREATE, 0),
        ("lost=3", CREATE, 0),
    ],
)
def test_a_rule_rejects_its_requests_alone(rule: str, asked: tuple[str, str], expected: int) -> None:
    assert status(rule, asked) == expected


def test_a_rule_without_a_slug_keeps_to_the_first_one() -> None:
    faults = SetupFaults([parse_fault("slug-taken")])
    for _ in range(2):
        with pytest.raises(ApiError):
            faults.reject(*CREATE, {"slug": "sprig"})
    faults.reject(*CREATE, {"slug": "sprig-2"})


def test_answers_are_lost_as_often_as_said() -> None:
    faults = SetupFaults([parse_fault("no-answer=2")])
    assert not faults.loses_answer(*RENAME)
    assert [faults.loses_answer(*asked) for asked in (CREATE, NEW_KEY, CREATE)] == [True, True, False]
    assert [SetupFaults([parse_fault("no-answer")]).loses_answer(*CREATE) for _ in range(2)] == [True, True]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no-answer=0", "is no number"),
        ("no-rename=200", "is no status"),
        ("no-rename=x", "is no status"),
        ("read-only@3", "takes no conditions"),
        ("no-label@source:Acme production", "takes no conditions"),
        ("slug-taken=", "needs a value"),
    ],
)
def test_a_rule_that_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_fault(text)


def test_a_rule_keeps_its_value() -> None:
    assert (parse_fault("slug-taken=a-b").do, parse_fault("slug-taken=a-b").value) == (FaultKind.SLUG_TAKEN, "a-b")
