"""The note that Segment rejects the token of its Public API: whose it is, how long it counts, when it goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.clocks import ManualClock

from sprig_tui.config.environment import PublicApiToken
from sprig_tui.config.secret_references import SecretReference
from sprig_tui.config.secrets import Workspace
from sprig_tui.config.token_rejection import MAX_RETRY_S, TokenRejectionStore, TokenWatcher
from sprig_tui.errors import SegmentApiError

NOW = 1_790_000_000_000


def workspace(words: str = "sgp_one", region: str = "us") -> Workspace:
    return Workspace(PublicApiToken(words), region)


def test_waits_double_up_to_an_hour(tmp_path: Path) -> None:
    store = TokenRejectionStore(tmp_path, workspace())
    now, waits = NOW, []
    for _ in range(9):
        store.save(now)
        store.save(now + 5)  # another process that asked at the same time
        found = store.load()
        assert found is not None
        waits.append((found.retry_at - now - 5) // 1000)
        assert store.waiting(found.retry_at - 1) is not None
        assert store.waiting(found.retry_at) is None
        now = found.retry_at
    assert waits == [60, 120, 240, 480, 960, 1920, MAX_RETRY_S, MAX_RETRY_S, MAX_RETRY_S]


@pytest.mark.parametrize("other", [workspace("sgp_two"), workspace(region="eu"), Workspace()])
def test_note_is_of_one_token_at_one_address(tmp_path: Path, other: Workspace) -> None:
    TokenRejectionStore(tmp_path, workspace()).save(NOW)
    assert TokenRejectionStore(tmp_path, other).load() is None
    TokenRejectionStore(tmp_path, other).clear()
    assert TokenRejectionStore(tmp_path, workspace()).load() is not None
    assert "sgp_one" not in (tmp_path / "token-rejected.json").read_text()


def test_token_that_was_not_read_is_known_by_its_place(tmp_path: Path) -> None:
    reference = SecretReference(command=("op", "read"))
    kept = PublicApiToken("sgp_one", reference.label, reference)
    TokenRejectionStore(tmp_path, Workspace(kept)).save(NOW)
    unread = PublicApiToken(None, reference.label, reference)
    assert TokenRejectionStore(tmp_path, Workspace(unread)).load() is not None
    renewed = PublicApiToken("sgp_two", reference.label, reference)
    assert TokenRejectionStore(tmp_path, Workspace(renewed)).load() is None


def test_watcher_forbids_tries_that_nobody_asked_for(tmp_path: Path) -> None:
    clock = ManualClock()
    watcher = TokenWatcher(tmp_path, workspace(), clock)
    watcher.check()
    watcher(False)
    with pytest.raises(SegmentApiError, match=r"rejects the token of its Public API .* tried again at"):
        watcher.check()
    watcher(True)
    watcher.check()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"rejected_at": "x"}'])
def test_damaged_note_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token-rejected.json").write_bytes(content)
    store = TokenRejectionStore(tmp_path, workspace())
    assert store.load() is None
    store.save(NOW)
    assert store.load() is not None
