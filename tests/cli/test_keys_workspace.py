"""Keys the easy way: sources by name, the real check that a 200 cannot give, and flags for the wrong environment."""

from __future__ import annotations

import stat
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import workspace_lookalike
from support.live_sink import LiveSink
from support.workspace_lookalike import WorkspaceLookalike

from sprig_tui.segment.sink.workspace.model import Role

Run = Callable[..., Any]
PASTED = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
NOTHING_CONNECTED = "no destination is connected: what arrives goes nowhere else"
EVENT = "SDK - Submitted - Survey Response"
STRANGE = "Xq8TaaaaBBBBcccc1111DDDDeeee1Rkx"


@pytest.fixture
def workspace(home: Path, workspace_api: WorkspaceLookalike) -> Any:
    """A config that knows the workspace's token."""
    home.mkdir()
    config = home / "config.toml"
    config.write_text(f'[segment]\npublic_api_token = "{workspace_lookalike.TOKEN}"\nregion = "{workspace_api.url}"\n')
    config.chmod(0o600)
    return workspace_api


def stored(home: Path) -> dict[str, Any]:
    return tomllib.loads((home / "config.toml").read_text())


# -- the token --------------------------------------------------------------------------------------------------------


def test_a_token_is_tried_then_stored_and_never_shown(
    process: Run, home: Path, workspace_api: WorkspaceLookalike
) -> None:
    done = process(
        "keys", "workspace", "--region", workspace_api.url, stdin=f" Bearer {workspace_lookalike.TOKEN}\n".encode()
    )
    assert done.code == 0, done.err
    assert "it is a token of the workspace Acme, which has 3 sources" in done.err
    assert workspace_lookalike.TOKEN not in done.out + done.err
    assert stored(home)["segment"] == {"public_api_token": workspace_lookalike.TOKEN, "region": workspace_api.url}
    assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o600


def test_rejected_token_is_noted_wherever_it_is_used(
    cli: Run, home: Path, workspace: WorkspaceLookalike, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPRIG_TUI_SEGMENT_TOKEN", "sgp_anInventedTokenThatIsNotKnown")
    assert cli("keys", "check").code == 1
    said = "Segment rejects the token of its Public API"
    assert said in cli("status").out
    assert cli("status", "--json").json["token_rejected_at"]
    checks = cli("doctor", "--offline", "--json").json["checks"]
    assert [one["level"] for one in checks if one["message"].startswith(said)] == ["fault"]
    monkeypatch.delenv("SPRIG_TUI_SEGMENT_TOKEN")
    assert said not in cli("status").out, "the note is of another token"
    monkeypatch.setenv("SPRIG_TUI_SEGMENT_TOKEN", "sgp_anInventedTokenThatIsNotKnown")
    workspace.workspace.tokens["sgp_anInventedTokenThatIsNotKnown"] = Role.OWNER
    cli("keys", "check")
    assert cli("status", "--json").json["token_rejected_at"] is None


def test_a_refused_token_is_stored_only_by_force(process: Run, home: Path, workspace_api: WorkspaceLookalike) -> None:
    argv = ("keys", "workspace", "--region", workspace_api.url)
    done = process(*argv, stdin=b"sgp_anInventedTokenThatIsNotKnown")
    assert done.code == 2
    assert "refuses the token for GET / (401)" in done.err
    assert not (home / "config.toml").exists()
    assert process(*argv, "--force", stdin=b"sgp_anInventedTokenThatIsNotKnown").code == 0


def test_a_token_that_cannot_be_tried_is_stored(process: Run, home: Path) -> None:
    done = process(
        "keys", "workspace", "--region", "http://127.0.0.1:9", stdin=workspace_lookalike.TOKEN.encode(), TZ="UTC"
    )
    assert done.code == 0, done.err
    assert "could not be tried" in done.err
    assert stored(home)["segment"]["public_api_token"] == workspace_lookalike.TOKEN


def test_workspace_token_without_role_is_reported(process: Run, home: Path, workspace_api: WorkspaceLookalike) -> None:
    done = process("keys", "workspace", "--region", workspace_api.url, stdin=workspace_lookalike.MEMBER_TOKEN.encode())
    assert "it may not see their write keys" in done.err


def test_a_token_on_the_command_line_is_refused_and_not_repeated(cli: Run, home: Path) -> None:
    done = cli("keys", "workspace", workspace_lookalike.TOKEN)
    assert done.code == 2
    assert workspace_lookalike.TOKEN not in done.err
    assert not home.exists()


def test_removing_it_leaves_the_keys(
    cli: Run, workspace: WorkspaceLookalike, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPRIG_TUI_SEGMENT_TOKEN", "sgp_anotherTokenFromTheShell")
    done = cli("keys", "workspace", "--remove")
    assert done.code == 0
    assert "there still is one, from SPRIG_TUI_SEGMENT_TOKEN" in done.err
    assert stored(home)["segment"] == {"region": workspace.url}
    assert "there is no token of Segment's Public API in the config" in cli("keys", "workspace", "--remove").err


# -- keys set ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Acme production", "acme-production", "ACME PRODUCTION"])
def test_a_script_names_the_source(cli: Run, workspace: WorkspaceLookalike, home: Path, name: str) -> None:
    done = cli("keys", "set", "production", "--source", name)
    assert done.code == 0, done.err
    assert stored(home)["environments"]["production"]["write_key"] == workspace_lookalike.PRODUCTION_KEY
    assert "from source Acme production (HTTP API, environment: prod), enabled" in done.err
    assert workspace_lookalike.PRODUCTION_KEY not in done.out + done.err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Acme dev", "its label 'environment: dev' says 'dev'"),
        ("Marketing site", "it is disabled"),
        ("Acme prodction", "did you mean 'Acme production'?"),
        ("", "no source is named"),
    ],
)
def test_a_source_that_does_not_fit_is_not_taken(
    cli: Run, workspace: WorkspaceLookalike, home: Path, name: str, said: str
) -> None:
    done = cli("keys", "set", "production", "--source", name)
    assert done.code == 2
    assert said in done.err
    assert "environments" not in stored(home)


def test_force_stores_a_secret_despite_warnings(cli: Run, workspace: WorkspaceLookalike, home: Path) -> None:
    assert cli("keys", "set", "production", "--source", "Acme dev", "--force").code == 0
    assert stored(home)["environments"]["production"]["write_key"] == workspace_lookalike.DEVELOPMENT_KEY


def test_a_source_of_a_token_without_the_role(cli: Run, workspace: WorkspaceLookalike, home: Path) -> None:
    config = home / "config.toml"
    config.write_text(config.read_text().replace(workspace_lookalike.TOKEN, workspace_lookalike.MEMBER_TOKEN))
    done = cli("keys", "set", "production", "--source", "Acme production")
    assert done.code == 2
    assert "the token sees no write key of Acme production" in done.err


def test_a_source_needs_a_token_and_an_answer(cli: Run, home: Path, workspace_api: WorkspaceLookalike) -> None:
    done = cli("keys", "set", "production", "--source", "Acme production")
    assert done.code == 2
    assert "there is no token" in done.err
    home.mkdir()
    workspace_api.down()
    (home / "config.toml").write_text(
        f'[segment]\npublic_api_token = "{workspace_lookalike.TOKEN}"\nregion = "{workspace_api.url}"\n'
    )
    assert cli("keys", "set", "production", "--source", "Acme production").code == 3


def test_a_piped_key_is_looked_up(process: Run, workspace: WorkspaceLookalike, home: Path) -> None:
    done = process("keys", "set", "development", stdin=workspace_lookalike.PRODUCTION_KEY.encode())
    assert done.code == 2
    assert "its name says 'production'" in done.err
    done = process("keys", "set", "development", stdin=workspace_lookalike.DEVELOPMENT_KEY.encode())
    assert done.code == 0
    assert "this key belongs to source Acme dev" in done.err
    done = process("keys", "set", "staging", stdin=STRANGE.encode())
    assert done.code == 0
    assert "belongs to no source of the workspace" in done.err


def test_a_workspace_that_does_not_answer_stops_no_paste(
    process: Run, workspace: WorkspaceLookalike, home: Path
) -> None:
    workspace.down()
    done = process("keys", "set", "production", stdin=PASTED.encode())
    assert done.code == 0, done.err
    assert "sources cannot be listed" in done.err
    assert stored(home)["environments"]["production"]["write_key"] == PASTED


def test_a_person_is_told_where_a_token_is_made(terminal: Run) -> None:
    at = terminal("keys", "workspace")
    at.says("(not shown):")
    assert "Access Management > Tokens" in " ".join(at.seen.split())
    at.types("\n")
    assert at.ends() == 2


def test_a_person_chooses_by_number(terminal: Run, workspace: WorkspaceLookalike, home: Path) -> None:
    at = terminal("keys", "set", "production")
    at.says("enter to paste a key:")
    assert "1  Acme production  HTTP API" in at.seen
    assert "Zq8T…1Rkx" in at.seen
    assert "! its name says 'dev'" in at.seen
    at.types("1\n")
    assert at.ends() == 0
    assert stored(home)["environments"]["production"]["write_key"] == workspace_lookalike.PRODUCTION_KEY
    assert workspace_lookalike.PRODUCTION_KEY not in at.seen


def test_a_person_confirms_a_flagged_source(terminal: Run, workspace: WorkspaceLookalike, home: Path) -> None:
    at = terminal("keys", "set", "production")
    at.says("enter to paste a key:")
    at.types("Acme div\n")
    at.says("did you mean 'Acme dev'?")
    at.types("acme-dev\n")
    at.says("store it anyway? [y/N]")
    at.types("\n")
    assert at.ends() == 2
    assert "environments" not in stored(home)


def test_key_can_be_pasted_when_sources_are_listed(terminal: Run, workspace: WorkspaceLookalike, home: Path) -> None:
    at = terminal("keys", "set", "production")
    at.says("enter to paste a key:")
    at.types(f"{STRANGE}\n")
    at.says("that is a key, and now on the screen")
    at.types("\n")
    at.says("(not shown):")
    at.types(f"{workspace_lookalike.PRODUCTION_KEY}\n")
    assert at.ends() == 0
    assert stored(home)["environments"]["production"]["write_key"] == workspace_lookalike.PRODUCTION_KEY
    assert workspace_lookalike.PRODUCTION_KEY not in at.seen


def test_names_from_the_workspace_steer_no_terminal(terminal: Run, workspace: WorkspaceLookalike) -> None:
    workspace.sources = [workspace_lookalike.source(n, f"\x1b[2J\u202eAcme {n}", f"key{n:029d}") for n in range(60)]
    at = terminal("keys", "set", "production")
    at.says("enter to paste a key:")
    assert "\x1b[2J" not in at.seen
    assert "and 10 more, which can be named" in at.seen


# -- keys check and doctor --------------------------------------------------------------------------------------------


@pytest.fixture
def keyed(workspace: WorkspaceLookalike, home: Path, sink: LiveSink) -> Path:
    """Production and development with the keys of their sources."""
    config = home / "config.toml"
    config.write_text(
        config.read_text()
        + f'[environments.production]\nwrite_key = "{workspace_lookalike.PRODUCTION_KEY}"\nendpoint = "{sink.url}"\n'
        + f'[environments.development]\nwrite_key = "{workspace_lookalike.DEVELOPMENT_KEY}"\nendpoint = "{sink.url}"\n'
    )
    return config


def doctored(done: Any) -> dict[str, tuple[str, str]]:
    """Level and message of each check about a source, by environment."""
    return {
        check["message"].partition(":")[0]: (check["level"], check["message"])
        for check in done.json["checks"]
        if check["name"] == "source"
    }


def test_check_names_source_and_destinations_of_a_key(cli: Run, keyed: Path) -> None:
    done = cli("keys", "check")
    assert done.code == 0, done.err
    assert "source Acme production (HTTP API, environment: prod), enabled" in done.out
    assert "destinations: Amplitude, Customer.io (disabled)" in done.out
    assert "no destination is connected" in done.out
    rows = cli("keys", "check", "--json")
    found = rows.json["environments"][0]["segment_source"]
    assert (found["workspace"], found["name"], found["enabled"]) == ("Acme", "Acme production", True)
    assert [one["name"] for one in found["destinations"]] == ["Amplitude", "Customer.io"]
    assert workspace_lookalike.PRODUCTION_KEY not in rows.out


def test_key_may_be_one_that_the_token_does_not_see(cli: Run, keyed: Path, workspace: WorkspaceLookalike) -> None:
    keyed.write_text(keyed.read_text().replace(workspace_lookalike.PRODUCTION_KEY, STRANGE))
    workspace.sources[0]["writeKeys"] = []
    done = cli("keys", "check")
    assert done.code == 0
    assert "its source is not known: the token sees no key of 1 of the 3 sources" in done.out
    assert "the source of its key is not known" in cli("doctor").out


def test_check_finds_what_a_200_hides(cli: Run, keyed: Path, workspace: WorkspaceLookalike) -> None:
    keyed.write_text(
        keyed.read_text()
        .replace(workspace_lookalike.PRODUCTION_KEY, STRANGE)
        .replace(workspace_lookalike.DEVELOPMENT_KEY, workspace_lookalike.PRODUCTION_KEY)
    )
    workspace.sources[0]["enabled"] = False
    done = cli("keys", "check")
    assert done.code == 1
    assert "it belongs to no source of the workspace Acme" in done.out
    assert "source Acme production: its name says 'production'" in done.out
    assert "it is disabled" in done.out
    checks = doctored(cli("doctor", "--json"))
    assert checks["production"][0] == "fault"
    assert checks["development"][0] == "fault"


def test_doctor_looks_the_keys_up(cli: Run, keyed: Path, workspace: WorkspaceLookalike) -> None:
    done = cli("doctor", "--json")
    assert done.code == 0, done.out
    assert doctored(done)["production"][0] == "ok"
    level, said = doctored(done)["development"]
    assert level == "warning"
    assert f"Acme dev (HTTP API, environment: dev), enabled; {NOTHING_CONNECTED}; it got no 'SDK" in said
    assert "workspace" not in str(cli("doctor", "--offline", "--json").json["checks"])
    workspace.down()
    done = cli("doctor", "--json")
    assert done.code == 0
    assert "no answer from 127.0.0.1" in done.out
    assert cli("keys", "check").code == 3


def test_volume_by_source_shows_the_key_in_the_wrong_place(
    cli: Run, keyed: Path, workspace: WorkspaceLookalike
) -> None:
    workspace.sources[0]["writeKeys"].append(STRANGE)
    keyed.write_text(keyed.read_text().replace(workspace_lookalike.DEVELOPMENT_KEY, STRANGE))
    hour_ago = time.time_ns() // 1_000_000 - 3_600_000
    for number, count in ((0, 12), (2, 41)):
        source = workspace.sources[number]["id"]
        workspace.add_counts("successfully-received", source, hour_ago, count, event=EVENT)
        workspace.add_counts("successfully-received", source, hour_ago, 1_000, event="Order Completed")
    done = cli("keys", "check")
    assert done.code == 1
    assert f"it got '{EVENT}' 12 times in the 24 hours up to a minute ago" in done.out
    assert "source Acme production: the key of production belongs to it too" in done.out
    assert f"source Marketing site: it got '{EVENT}' 41 times" in done.err
    assert "and no environment has its key" in done.err
    rows = cli("keys", "check", "--json").json["environments"]
    assert [row["segment_source"]["events_24h"] for row in rows] == [12, 12]
    checks = doctored(cli("doctor", "--json"))
    assert checks["development"][0] == "warning"
    assert "development: Acme production" in checks["development"][1]
    assert f"it got '{EVENT}' 12 times" in checks["development"][1]
    assert "41 times" in checks["source Marketing site"][1]


def test_volume_that_is_refused_is_said_and_leaves_the_rest(
    cli: Run, keyed: Path, workspace: WorkspaceLookalike
) -> None:
    workspace.workspace.denied = ["/events/volume"]
    done = cli("keys", "check")
    assert done.code == 0
    assert "source Acme production" in done.out
    assert "in the 24 hours" not in done.out
    assert f"which sources got '{EVENT}' is not known" in done.err
    assert cli("doctor").code == 0


def test_a_refused_token_is_a_fault(cli: Run, keyed: Path) -> None:
    keyed.write_text(keyed.read_text().replace(workspace_lookalike.TOKEN, "sgp_anInventedTokenThatIsNotKnown"))
    assert cli("doctor").code == 1
    done = cli("keys", "check")
    assert done.code == 1
    assert "refuses the token for GET / (401)" in done.err


def test_token_without_role_looks_up_no_keys(cli: Run, keyed: Path) -> None:
    keyed.write_text(keyed.read_text().replace(workspace_lookalike.TOKEN, workspace_lookalike.MEMBER_TOKEN))
    done = cli("keys", "check")
    assert done.code == 0
    assert "the token sees no write keys" in done.err
    assert doctored(cli("doctor", "--json")) == {}
