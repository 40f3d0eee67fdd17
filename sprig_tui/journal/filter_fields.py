"""Filter fields: their names, values and meaning; the documentation of the filter language is made from this table."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from sprig_tui.journal.query import CONDITIONS
from sprig_tui.journal.records import State
from sprig_tui.reasons import Reason

FieldKind = Literal["text", "status", "choice", "condition", "number", "moment", "period", "delivery", "endpoint"]


class FilterField(Struct, frozen=True):
    """A name before a colon."""

    name: str
    kind: FieldKind
    example: str
    meaning: str
    choices: tuple[str, ...] = ()
    lists: bool = False
    """Whether values can be listed by comma; in the others a comma is part of the value."""


FIELDS: dict[str, FilterField] = {
    field.name: field
    for field in (
        FilterField(
            "status",
            "status",
            "status:failed or status:4xx",
            "queued, delivered, failed, withheld, or the last HTTP status: 400, 4xx",
            tuple(state.value for state in State),
            lists=True,
        ),
        FilterField(
            "is",
            "condition",
            "is:retrying",
            ", ".join(CONDITIONS),
            tuple(CONDITIONS),
            lists=True,
        ),
        FilterField(
            "reason",
            "choice",
            "reason:anonymous",
            "why it was withheld: " + ", ".join(reason.value for reason in Reason),
            tuple(reason.value for reason in Reason),
            lists=True,
        ),
        FilterField("env", "text", "env:production", "environment", lists=True),
        FilterField("survey", "text", 'survey:"Checkout effort"', "survey id, or a part of its name"),
        FilterField("survey-id", "text", "survey-id:42", "survey id alone; * for any, so -survey-id:* is without one"),
        FilterField("user", "text", "user:acct_1*", "user id; a * at the end for what begins so"),
        FilterField("id", "text", "id:41", "number of the delivery, or message id or its beginning"),
        FilterField(
            "origin", "delivery", "origin:41", "what was made of this delivery: revisions, duplicates, new sendings"
        ),
        FilterField("to", "endpoint", "to:eu", "where its last request went: us, eu or a part of the URL"),
        FilterField(
            "endpoint",
            "text",
            "endpoint:127.0.0.1 or endpoint:=https://api.segment.io",
            "the same, by a part of the URL alone; = stands before a whole URL",
        ),
        FilterField("attempts", "number", "attempts:>2", "requests that carried it so far", lists=True),
        FilterField("latency", "number", "latency:>500ms", "time of its last request: ms, s, m", lists=True),
        FilterField("size", "number", "size:>10kb", "bytes of the call: b, kb, mb", lists=True),
        FilterField("arrived", "period", "arrived:yesterday", "a day, a range, or an age: within the last 2h"),
        FilterField("since", "moment", "since:2h or since:2026-11-23", "arrived at this time or later"),
        FilterField("until", "moment", "until:1d", "arrived before"),
        FilterField("sent", "period", "sent:monday..friday", "as arrived, for the answer to its last request"),
        FilterField("sent-since", "moment", "sent-since:2h", "as since, for the answer to its last request"),
        FilterField("sent-until", "moment", "sent-until:1d", "as until, for the answer to its last request"),
    )
}
"""By name, in the order of the documentation."""
FIELD_ALIASES = {"state": "status", "environment": "env", "message": "id"}
"""Synonyms of field names."""

GRAMMAR = (
    ("slow", "text in any of: survey name, user id, answer, error, reason, detail, source, message id"),
    ('"two words"', "quotes keep spaces together, also after a colon; in quotes nothing has another meaning"),
    ("slow env:production", "both must match"),
    ("status:failed status:withheld", "one of them: also for reason, env, survey, user, id, origin, endpoint and to"),
    ("status:failed,withheld", "the same, shorter"),
    ("-slow  -status:failed", "not this"),
    ("slow OR status:failed", "one of the sides; what stands without an OR between belongs together first"),
    ("-(status:failed OR slow)", "parentheses, with a field or an OR in them; others are searched as text"),
    ("attempts:2..4", "ranges, and > >= < <= before a number"),
    ('since:"last monday"', "today, yesterday, monday, this week, last month, 14:05, monday 9:00, 2h, 2026-11-23"),
    ("@mine", "the filter of this name in [filters] of the config"),
)
"""Example and meaning of what can be written."""


def field_name(word: str) -> str:
    """The name of the field for a name or a synonym, in any case; empty where there is none."""
    name = FIELD_ALIASES.get(word.lower(), word.lower())
    return name if name in FIELDS else ""


def grammar_table() -> str:
    """The filter language as Markdown: what can be written, then the fields."""
    rows = ["| write | means |", "|---|---|"]
    rows += [f"| `{example.replace('|', chr(92) + '|')}` | {meaning} |" for example, meaning in GRAMMAR]
    rows += ["", "| field | example | means |", "|---|---|---|"]
    rows += [
        f"| `{field.name}:` | {' or '.join(f'`{part}`' for part in field.example.split(' or '))} | {field.meaning} |"
        for field in FIELDS.values()
    ]
    return "\n".join(rows) + "\n"
