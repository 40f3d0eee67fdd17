"""curl commands for track calls: safe to show and to paste. The key is left to $SEGMENT_WRITE_KEY."""

from __future__ import annotations

import shlex

from sprig_tui.text import printable


def curl_lines(base_url: str, body: bytes, *, withheld: str = "") -> tuple[str, ...]:
    """The command on three lines, joined by backslashes, for an endpoint (a URL without `/v1`) and a body of JSON.

    `withheld` is the reason why the record would not be sent; it goes in front as a comment.

    If an answer contains characters that a terminal would obey or not show, the body is written in ASCII with JSON
    escapes, so that the call stays the same.
    """
    comment = (f"# would be withheld: {withheld}",) if withheld else ()
    return (
        *comment,
        f"curl {shlex.quote(f'{base_url}/v1/track')} \\",
        "  -u \"$SEGMENT_WRITE_KEY:\" -H 'Content-Type: application/json' \\",
        f"  --data-raw {shlex.quote(visible_json(body))}",
    )


def visible_json(body: bytes) -> str:
    """JSON as text without invisible characters; in ASCII if it has any.

    Invalid UTF-8, which is not JSON, is shown as U+FFFD.
    """
    text = body.decode(errors="replace")
    return text if printable(text) == text else _escape_non_ascii(text)


def _escape_non_ascii(text: str) -> str:
    units = text.encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(unit) if 32 <= unit < 127 else f"\\u{unit:04x}" for unit in codes)
