"""Fault rules: which requests fail, and how."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Literal

from msgspec import Struct, structs

from sprig_tui.segment.sink.messages import SinkReply, error_reply

FaultKind = Literal[
    "status", "reset", "close", "hang", "slow", "trickle", "truncate", "content-type", "html", "huge", "unsuccess",
    "redirect",
]  # fmt: skip
"""
- `status`: answer `status`, with `body`, `retry_after`, `rate_limit_reset`
- `reset`: a TCP reset instead of the reply; `close`: a normal close instead of it
- `hang`: no reply until the client disconnects
- `slow`: the true reply after `seconds`; `trickle`: its body byte by byte, `seconds` apart
- `truncate`: the reply ends in the middle of its body
- `content-type`: the reply claims to be `text/plain`; `html`: a page such as a proxy would send
- `huge`: a reply of `megabytes`; `unsuccess`: 200 with `{"success": false}`; `redirect`: to `location`
"""

_REPLACING_FAULTS = ("reset", "close", "hang")
_SLOWING_FAULTS = ("slow", "trickle")
_DEFAULT_STATUS = {"redirect": 302}
_SIGN_IN_PAGE = (
    b"<!doctype html><html><head><title>Sign in</title></head><body><h1>Sign in to continue</h1></body></html>"
)


class FaultRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One fault. All given conditions must hold; the first matching rule applies."""

    do: FaultKind
    # conditions
    first: int = 1
    """Number of the first tracking request, from 1."""
    last: int = 0
    """Number of the last one; 0 for no end."""
    every: int = 0
    """Only every nth request; 0 for each."""
    rate: float = 1.0
    """Share of the requests, 0 to 1, drawn from the script's seed."""
    times: int = 0
    """How often it applies; 0 for no end."""
    contains: str = ""
    """The body contains this text, as it is or with JSON escapes (a poison event)."""
    message_id: str = ""
    """The body contains this message id."""
    source: str = ""
    """The write key, or the name of its source."""
    # effect
    status: int = 0
    """HTTP status from 200 to 599; 0 for the default (200, redirect 302)."""
    body: str = ""
    retry_after: str = ""
    """Sent unchanged, valid or not; `date:SECONDS` becomes an HTTP-date that far from now."""
    rate_limit_reset: str = ""
    seconds: float = 1.0
    megabytes: float = 5.0
    location: str = "https://sign-in.example/"
    accept: bool | None = None
    """Whether the events are accepted before the fault. None: as a real server would, that is if the reply is a 2xx;
    a request without a reply is not accepted."""
    name: str = ""
    """Its name in the statistics."""

    @property
    def label(self) -> str:
        """Its name, or one derived from its effect."""
        return self.name or (str(self.status) if self.do == "status" else self.do)

    @property
    def accepts_events(self) -> bool:
        """Whether the events are accepted before the fault."""
        if self.accept is not None:
            return self.accept
        return self.do in _SLOWING_FAULTS or (self.do not in _REPLACING_FAULTS and 200 <= self._status < 300)

    @property
    def _status(self) -> int:
        return self.status or _DEFAULT_STATUS.get(self.do, 200)

    def apply(self, reply: SinkReply, now_ms: int) -> SinkReply:
        """The reply to send instead of the true `reply`."""
        if self.do in ("reset", "close", "hang"):
            return structs.replace(reply, ending=self.do)
        if self.do == "slow":
            return structs.replace(reply, delay_s=self.seconds)
        if self.do == "trickle":
            return structs.replace(reply, trickle_s=self.seconds, close=True)
        headers = tuple(self._headers(now_ms))
        if self.do == "status":
            return self._with_status(headers)
        body = self.body.encode() or reply.body
        changed: dict[str, object] = {"status": self._status, "body": body, "headers": headers}
        if self.do == "truncate":
            changed |= {"missing": 100}
        elif self.do == "content-type":
            changed |= {"content_type": "text/plain"}
        elif self.do == "html":
            changed |= {"content_type": "text/html; charset=utf-8", "body": self.body.encode() or _SIGN_IN_PAGE}
        elif self.do == "huge":
            changed |= {"padding": round(self.megabytes * 1_000_000)}
        elif self.do == "unsuccess":
            changed |= {"body": self.body.encode() or b'{"success":false}'}
        return structs.replace(reply, **changed)

    def _with_status(self, headers: tuple[tuple[str, str], ...]) -> SinkReply:
        reply = error_reply(self._status, "rejected by a fault rule of the fake Segment", code=f"fault_{self._status}")
        return structs.replace(reply, body=self.body.encode() or reply.body, headers=headers)

    def _headers(self, now_ms: int) -> list[tuple[str, str]]:
        headers = []
        if self.retry_after:
            kind, _, seconds = self.retry_after.partition(":")
            text = http_date(now_ms, float(seconds)) if kind == "date" else self.retry_after
            headers.append(("Retry-After", text))
        if self.rate_limit_reset:
            headers.append(("X-RateLimit-Reset", self.rate_limit_reset))
        if self.do == "redirect":
            headers.append(("Location", self.location))
        return headers


class FaultScript:
    """Rules in order, with their state: how often each applied, and a random generator each for `rate`."""

    def __init__(self, rules: Sequence[FaultRule] = (), *, seed: int = 0) -> None:
        self.rules = tuple(rules)
        self._applied_counts = [0] * len(self.rules)
        # one generator for each rule: adding a rule does not change when the others apply
        self._random = [random.Random(f"{seed}:{index}") for index in range(len(self.rules))]  # noqa: S311 - repeatable
        self._needles = [_needles(rule) for rule in self.rules]

    def choose(self, number: int, body: bytes, key: str, source: str) -> FaultRule | None:
        """The rule that applies to the `number`th request; None for no fault."""
        for index, rule in enumerate(self.rules):
            if self._matches(index, rule, number, body) and (not rule.source or rule.source in (key, source)):
                if rule.rate < 1 and self._random[index].random() >= rule.rate:
                    continue
                self._applied_counts[index] += 1
                return rule
        return None

    def _matches(self, index: int, rule: FaultRule, number: int, body: bytes) -> bool:
        return (
            number >= rule.first
            and not (rule.last and number > rule.last)
            and not (rule.every and number % rule.every)
            and not (rule.times and self._applied_counts[index] >= rule.times)
            and all(any(form in body for form in forms) for forms in self._needles[index])
        )


def _needles(rule: FaultRule) -> list[set[bytes]]:
    """For each text that the body must contain, its spellings in JSON."""
    needles = []
    if rule.contains:
        needles.append({rule.contains.encode(), *(written[1:-1] for written in _json_spellings(rule.contains))})
    if rule.message_id:
        needles.append(_json_spellings(rule.message_id))
    return needles


def _json_spellings(text: str) -> set[bytes]:
    return {json.dumps(text, ensure_ascii=ascii_only).encode() for ascii_only in (True, False)}


def http_date(now_ms: int, seconds: float = 0.0) -> str:
    """The time `seconds` from now as an HTTP-date."""
    return format_datetime(datetime.fromtimestamp(now_ms / 1000, UTC) + timedelta(seconds=seconds), usegmt=True)
