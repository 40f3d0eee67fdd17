"""curl commands for track calls: safe to show and to paste. The shell puts in the key, and the token of OAuth."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sprig_tui.text import printable

if TYPE_CHECKING:
    from sprig_tui.segment.oauth.credentials import OAuthCredentials

_KEY_IN_BODY = """{"writeKey":"'"$SEGMENT_WRITE_KEY"'","""
"""Start of a body in single quotes: they end for the variable, and begin again after it."""


def curl_lines(
    base_url: str, body: bytes, *, withheld: str = "", oauth: OAuthCredentials | None = None
) -> tuple[str, ...]:
    """The command on three lines, joined by backslashes, for an endpoint (a URL without `/v1`) and a body of JSON.

    `withheld` is the reason why the record would not be sent; it goes in front as a comment. With `oauth` the key
    stands in the body, and an access token in the header (facts: Tracking API, Auth); a comment says whose token.

    If an answer contains characters that a terminal would obey or not show, the body is written in ASCII with JSON
    escapes, so that the call stays the same.
    """
    comments = [f"# would be withheld: {withheld}"] if withheld else []
    credential, data = '-u "$SEGMENT_WRITE_KEY:"', shlex.quote(visible_json(body))
    if oauth is not None:
        comments.append(f"# $SEGMENT_ACCESS_TOKEN: a token of the OAuth app {oauth.client_id}, from {oauth.token_url}")
        credential = '-H "Authorization: Bearer $SEGMENT_ACCESS_TOKEN"'
        data = data.replace("{", _KEY_IN_BODY, 1)
    return (
        *comments,
        f"curl {shlex.quote(f'{base_url}/v1/track')} \\",
        f"  {credential} -H 'Content-Type: application/json' \\",
        f"  --data-raw {data}",
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
