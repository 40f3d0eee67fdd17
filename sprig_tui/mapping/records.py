"""What a response becomes: the mapping, and a trace of each field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import UNSET, Struct

from sprig_tui.reasons import Reason

if TYPE_CHECKING:
    from sprig_tui.segment.lints import Lint
    from sprig_tui.sprig.records import StudyResponse

Level = Literal["ok", "warning", "error"]


class FieldTrace(Struct, frozen=True, gc=False):
    """One row of the inspector: where a field of the track call came from."""

    path: str
    """Dotted path in the track call, such as `properties.surveyName`."""
    value: Any = UNSET
    """The JSON value that is sent (`msgspec.Raw` for foreign JSON); UNSET when the field is omitted."""
    origin: str = ""
    """Source path, `default`, `config`, `catalogue`, `computed`, or `at send`."""
    note: str = ""
    level: Level = "ok"


class Survey(Struct, frozen=True, gc=False):
    """What the catalogue knows of a survey."""

    name: str | None = None
    created_at: str | None = None


class Rules(Struct, frozen=True, kw_only=True):
    """What a team may choose about the mapping; the defaults are Sprig's own."""

    event: str = "SDK - Submitted - Survey Response"
    integration_name: str = "sprig"
    integration_version: str = "1.0.0"
    omit: frozenset[str] = frozenset()
    """Track paths not sent, such as `properties.email` or `properties.attributes.plan`; required fields are refused."""
    hash: frozenset[str] = frozenset()
    """Track paths sent as the hex sha256 of their trimmed lower-case text, such as `properties.email`."""
    integrations: dict[str, bool] | None = None
    """Segment's `integrations` object: destination name to allowed, `All` for the rest."""
    created_at: Literal["survey", "response"] = "survey"
    """What fills `properties.createdAt`: the survey's creation (Sprig's table) or, opt-in, the answer's time."""
    surveys: dict[str, Survey] = {}
    """Catalogue by survey id as text."""


class Tracer(Protocol):
    """What can tell, of a mapping it made, where each field came from."""

    def trace(self, mapping: Mapping) -> tuple[FieldTrace, ...]:
        """One FieldTrace per field, in the order of Sprig's table."""
        ...


class Mapping(Struct, frozen=True):
    """The outcome of mapping one response for one environment; the mapper makes it by position, as it makes so many."""

    environment: str
    message_id: str
    body: bytes
    """The track call as compact JSON, `messageId` first, without `sentAt` (stamped on the batch at each attempt).

    Also there when it is withheld: what would be sent.
    """
    response: StudyResponse
    """What was mapped; made fit for JSON where it was not."""
    mapped_at: int
    """Wall time of the mapping, milliseconds since 1970 UTC."""
    tracer: Tracer
    withheld: Reason | None = None
    detail: str = ""
    """Why it is withheld, in words; begins with the path of the field at fault where there is one."""
    digest: bytes = b""
    """8 bytes over the answer's canonical JSON: tells a repeat from a revision."""
    answered_ms: int = 0
    """The answer's time, milliseconds since 1970 UTC; 0 where the source has none."""
    updated_ms: int = 0
    faults: tuple[Lint, ...] = ()
    """What was off with the response itself, beyond what lints of the call can see."""
    answer: bytes = b""
    """The JSON of the answer."""

    @property
    def fields(self) -> tuple[FieldTrace, ...]:
        """The inspector's rows; worked out when asked for, since sending does not need them."""
        return self.tracer.trace(self)

    @property
    def lints(self) -> tuple[Lint, ...]:
        """Everything that is off, worst things first."""
        # Only now: whoever reads the config needs the rules alone.
        from sprig_tui.segment.lints import lint

        found = (*self.faults, *lint(self.body, self.mapped_at))
        return tuple(sorted(found, key=lambda one: one.level))
