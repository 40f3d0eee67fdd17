"""Help topics: every one is in the package, listed, linked and found, and every command names its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from support.pages_of_documentation import PAGES, TOPIC_FOLDER

from sprig_tui.cli.program import COMMANDS, program
from sprig_tui.docs.topics import COMMAND_TOPICS, TOPICS, find_topic, nearest_topics, read_topic


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command, click.Context]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        yield f"{path} {name}", command, inner
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")


def test_every_topic_has_a_file_and_every_file_is_a_topic() -> None:
    assert {file.stem for file in TOPIC_FOLDER.glob("*.md")} == set(TOPICS)
    for name in TOPICS:
        assert read_topic(name) == PAGES[name]
        assert PAGES[name].startswith("# ")


def test_topics_begin_with_a_text_and_say_what_can_go_wrong() -> None:
    for name in TOPICS:
        sections = re.split(r"^## ", PAGES[name], flags=re.MULTILINE)
        assert re.fullmatch(r"# .+", sections[0].splitlines()[0]), name
        assert sections[0].splitlines()[2][:1].isalpha() or sections[0].splitlines()[2].startswith("`"), name
        titles = [section.splitlines()[0] for section in sections[1:]]
        # a table of keys may follow
        assert [title for title in titles if title != "Keys"][-1] == "What can go wrong", name


def test_readme_lists_every_topic_and_fits_its_limit() -> None:
    assert set(re.findall(r"\(sprig_tui/docs/([a-z-]+)\.md\)", PAGES["README"])) == set(TOPICS)
    assert len(PAGES["README"].splitlines()) <= 120


def test_links_between_pages_lead_to_files() -> None:
    for page, text in PAGES.items():
        folder = TOPIC_FOLDER if page != "README" else TOPIC_FOLDER.parents[1]
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            assert (folder / target).resolve().is_file(), f"{page}: {target}"


def test_help_of_every_command_names_its_topic() -> None:
    assert {name.partition(" ")[0] for name in COMMAND_TOPICS} == set(COMMANDS) - {"help"}
    for path, command, context in _commands(program, "sprig-tui"):
        if path != "sprig-tui help":
            topic = re.findall(r"^Topic: sprig-tui help (\S+)$", command.get_help(context), re.MULTILINE)
            assert topic, path
            assert topic[0] in TOPICS, path


@pytest.mark.parametrize(
    ("word", "topic"),
    [("replay", "replay"), ("Quick start", "quick-start"), ("formats.md", "formats"), ("listen", "webhooks")],
)
def test_topic_is_found_by_its_name_or_a_command(word: str, topic: str) -> None:
    assert find_topic(word) == topic


@pytest.mark.parametrize(
    ("word", "near"), [("replai", "replay"), ("webhook", "webhooks"), ("postgresql", "workers"), ("qqqqqq", "")]
)
def test_nearest_topics_are_proposed(word: str, near: str) -> None:
    assert find_topic(word) == ""
    assert nearest_topics(word)[:1] == ([near] if near else [])
