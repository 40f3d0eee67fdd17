"""Rendered Markdown: what each block and each style of text becomes."""

from __future__ import annotations

from support.pages_of_documentation import PAGES

from sprig_tui.docs.markdown import StyledText, plain_text, render_markdown, wrap_styled


def _text(markdown: str, width: int = 40) -> list[str]:
    return [plain_text(line) for line in render_markdown(markdown, width)]


def test_headings_paragraphs_and_code_are_separate_blocks() -> None:
    assert _text("# Title\n\nSome `code` and **weight**\nhere.\n\n```sh\na  b\n```\n\n    indented\n") == [
        "TITLE",
        "",
        "Some code and weight here.",
        "",
        "    a  b",
        "",
        "    indented",
    ]


def test_styles_are_kept_within_a_line() -> None:
    assert render_markdown("Some `code` and **weight**.", 40) == [
        (
            StyledText("Some "),
            StyledText("code", "code"),
            StyledText(" and "),
            StyledText("weight", "strong"),
            StyledText("."),
        )
    ]


def test_lists_are_indented_and_numbered() -> None:
    assert _text("1. one\n2. two that is long\n\n   more\n\n- a\n- b\n", 14) == [
        "1. one",
        "",
        "2. two that is",
        "   long",
        "",
        "   more",
        "",
        "- a",
        "- b",
    ]


def test_links_name_the_topic_or_the_address_and_pictures_are_left_out() -> None:
    assert _text("See [Replay](replay.md), [this](#here).\n\n![picture](a.svg)\n\n[Sprig](https://sprig.com)", 60) == [
        "See Replay (help replay), this.",
        "",
        "Sprig (https://sprig.com)",
    ]


def test_tables_fit_the_width_and_wrap_their_cells() -> None:
    assert _text("| key | meaning |\n|---|---|\n| `a` | one two three four |\n| b | x |\n", 20) == [
        "key  meaning",
        "a    one two three",
        "     four",
        "b    x",
    ]


def test_long_words_are_cut() -> None:
    assert [plain_text(line) for line in wrap_styled([StyledText("ab " + "x" * 25)], 10)] == [
        "ab",
        "x" * 10,
        "x" * 10,
        "x" * 5,
    ]


def test_only_code_is_wider_than_asked_in_every_page() -> None:
    width = 70
    for text in PAGES.values():
        for line in render_markdown(text, width):
            assert len(plain_text(line)) <= width or line[-1].style == "code"
