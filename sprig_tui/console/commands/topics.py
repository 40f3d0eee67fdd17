"""Commands of the screen of help topics."""

from __future__ import annotations

from sprig_tui.console.commands.base import Command


class CloseTopics(Command):
    """Back from a topic to the list that it was opened from, and from there to where you were."""

    id = "close-topics"
    key = "escape,q"
    label = "back"
    title = "Back to where you were"
    scope = "topics"
    in_palette = False


class OpenTopic(Command):
    """Open the topic under the cursor; in a text, the topic that the line names."""

    id = "open-topic"
    key = "enter"
    label = "open"
    title = "Open the topic"
    scope = "topics"
    in_palette = False


class SearchTopics(Command):
    """Search all topics. The list shows those that contain the words; n and N then go through a topic's matches."""

    id = "search-topics"
    key = "slash"
    label = "search"
    title = "Search the topics"
    scope = "topics"


class NextTopicMatch(Command):
    """Go to the next line of the topic that the search matches; after the last one, to the first."""

    id = "next-topic-match"
    key = "n"
    label = "next match"
    title = "Go to the next match"
    scope = "topics"
    in_palette = False


class PreviousTopicMatch(Command):
    """Go to the line before that the search matches; before the first one, to the last."""

    id = "previous-topic-match"
    key = "N"
    label = "previous match"
    title = "Go to the previous match"
    scope = "topics"
    in_palette = False
    in_bar = False


class ListTopics(Command):
    """List all topics."""

    id = "list-topics"
    key = "t"
    label = "topics"
    title = "List all topics"
    scope = "topics"


class NextTopic(Command):
    """Read the topic after this one in the list."""

    id = "next-topic"
    key = "right_square_bracket"
    label = "next topic"
    title = "Read the next topic"
    scope = "topics"
    in_bar = False


class PreviousTopic(Command):
    """Read the topic before this one in the list."""

    id = "previous-topic"
    key = "left_square_bracket"
    label = "previous topic"
    title = "Read the topic before"
    scope = "topics"
    in_bar = False


COMMANDS = (
    CloseTopics,
    OpenTopic,
    SearchTopics,
    NextTopicMatch,
    PreviousTopicMatch,
    ListTopics,
    NextTopic,
    PreviousTopic,
)
"""The one that leaves the screen is the first."""
