"""The public interface: its names are pinned, its import costs nothing, and a short script does what `send` does."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import sprig_tui
from sprig_tui.segment.sink import Sink

NAMES = """
    Attempt ConfigError Delivery DeliverySettings Engine EngineSnapshot EntryBuilder Environment ExitCode
    FieldTrace FilterError IngestResult InputError Journal JournalError Mapper Mapping NewDelivery Origin Query Reason
    Rules SendResult Settings SprigTuiError State StudyResponse Survey TrackingClient Unsendable WriteKey __version__
    find_paths ingest_records load_settings map_response open_journal parse_filter read_responses read_secrets
    wait_until_settled
""".split()  # noqa: SIM905 - a list of words reads best as words


def test_the_names_are_these() -> None:
    assert sorted(sprig_tui.__all__) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_there_and_documented(name: str) -> None:
    found = getattr(sprig_tui, name)
    assert found is getattr(sprig_tui, name)
    assert found.__doc__
    assert name in dir(sprig_tui)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = sprig_tui.nothing


def test_importing_the_package_imports_nothing_but_the_standard_librarys_own() -> None:
    code = "import sys; before = set(sys.modules); import sprig_tui; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    assert loaded == {"sprig_tui"}


@pytest.mark.parametrize(("former", "name"), sorted(sprig_tui._FORMER_NAMES.items()))
def test_a_former_name_is_an_alias_with_a_warning(former: str, name: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"is now sprig_tui.{name}"):
        alias = getattr(sprig_tui, former)
    public = getattr(sprig_tui, name)
    assert getattr(alias, "__wrapped__", alias) is public
    keywords = sprig_tui._FORMER_KEYWORDS.get(former, {})
    assert set(keywords.values()) <= set(inspect.signature(public).parameters)


async def test_a_former_keyword_is_passed_on_by_its_new_name(tmp_path: Path) -> None:
    from sprig_tui import EntryBuilder, IngestResult, Rules, open_journal

    result, seen = IngestResult(), []
    with pytest.warns(DeprecationWarning, match="is now"):
        feed = sprig_tui.feed
    async with open_journal(tmp_path / "journal.db") as journal:
        assert await feed([], EntryBuilder(Rules(), {}), journal, into=result, check=seen.append) is result


async def test_a_script_of_ten_lines_does_what_send_does(tmp_path: Path) -> None:
    from sprig_tui import (
        Engine,
        EntryBuilder,
        Environment,
        Rules,
        WriteKey,
        ingest_records,
        open_journal,
        read_responses,
        wait_until_settled,
    )

    file = tmp_path / "answers.jsonl"
    file.write_text(
        '{"userId": "acct_88213", "surveyId": 1, "surveyName": "Checkout effort", "responseGroupId": "g1", '
        '"question": "How easy?", "questionType": "LIKERT", "response": 4, "timestamp": "2025-03-04T16:21:09Z"}\n'
    )
    async with Sink() as sink:
        key = WriteKey("Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx")
        environments = {"production": Environment(name="production", write_key=key, endpoint=sink.url)}
        async with open_journal(tmp_path / "journal.db") as journal, Engine(journal, environments) as engine:
            builder = EntryBuilder(Rules(), environments, "production")
            result = await ingest_records(read_responses([file]), builder, journal, engine)
            await wait_until_settled(journal, result.ids, result.environments, engine=engine)
        assert [event["userId"] for event in sink.events] == ["acct_88213"]
