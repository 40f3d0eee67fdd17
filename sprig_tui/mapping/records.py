"""Records of the mapping: rules, field traces and the mapped response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from msgspec import UNSET, Raw, Struct, UnsetType

from sprig_tui.reasons import Reason

if TYPE_CHECKING:
    from sprig_tui.segment.lints import Lint
    from sprig_tui.sprig.records import StudyResponse

Level = Literal["ok", "warning", "error"]

Value = str | int | Raw | UnsetType | None
"""A field's value: Raw for foreign JSON, UNSET when it is left out, None for null."""


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


class HashKey(Struct, frozen=True, gc=False):
    """The key of `hmac`; its repr does not show it."""

    text: str

    def __repr__(self) -> str:
        return "HashKey(...)"


StoreRaw = Literal["full", "mapped", "none"]
"""What the journal keeps: the record as it came and its call; the call alone; or the call only where it is sent."""


class Survey(Struct, frozen=True, gc=False):
    """Name and creation time of a survey, from the catalogue."""

    name: str | None = None
    created_at: str | None = None


class Rules(Struct, frozen=True, kw_only=True):
    """Mapping rules of a team; the defaults are those of Sprig's own Segment integration."""

    event: str = "SDK - Submitted - Survey Response"
    integration_name: str = "sprig"
    integration_version: str = "1.0.0"
    omit: frozenset[str] = frozenset()
    """Track paths not sent, such as `properties.email` or `properties.attributes.plan`; never a required field."""
    hash: frozenset[str] = frozenset()
    """Track paths sent as the hex sha256 of their trimmed lower-case text, such as `properties.email`."""
    hmac: frozenset[str] = frozenset()
    """Track paths sent as the hex HMAC-SHA256 of that text, with `hmac_key`."""
    hmac_key: HashKey | None = None
    """Without it no answer can be mapped by rules with `hmac`."""
    store_raw: StoreRaw = "full"
    """What the journal keeps of each record."""
    integrations: dict[str, bool] | None = None
    """Segment's `integrations` object: destination name to allowed, `All` for the rest."""
    created_at: Literal["survey", "response"] = "survey"
    """What fills `properties.createdAt`: the survey's creation (Sprig's table) or, opt-in, the answer's time."""
    surveys: dict[str, Survey] = {}
    """Catalogue by survey id as text."""


class Tracer(Protocol):
    """The mapper of a mapping, which computes its field traces."""

    def trace(self, mapping: Mapping) -> tuple[FieldTrace, ...]:
        """One FieldTrace per field, in the order of Sprig's table."""
        ...


class Mapping(Struct, frozen=True):
    """One response mapped for one environment. The mapper fills it by position, which is faster than by name."""

    environment: str
    message_id: str
    body: bytes
    """The track call as compact JSON, `messageId` first, without `sentAt` (stamped on the batch at each attempt).

    A withheld mapping has it too.
    """
    response: StudyResponse
    """The response that was mapped, sanitized if its text was not valid JSON."""
    mapped_at: int
    """Wall time of the mapping, milliseconds since 1970 UTC."""
    tracer: Tracer
    withheld: Reason | None = None
    detail: str = ""
    """Why it is withheld, in words; begins with the path of the field at fault if there is one."""
    digest: bytes = b""
    """8 bytes over the answer's canonical JSON; they differ between an answer and its revision."""
    answered_ms: int = 0
    """Time of the answer, milliseconds since 1970 UTC; 0 if the source has none."""
    updated_ms: int = 0
    faults: tuple[Lint, ...] = ()
    """Problems of the response itself, which lints of the call cannot find."""
    answer: bytes = b""
    """The JSON of the answer."""

    @property
    def fields(self) -> tuple[FieldTrace, ...]:
        """The inspector's rows; computed on demand, since sending does not need them."""
        return self.tracer.trace(self)

    @property
    def lints(self) -> tuple[Lint, ...]:
        """All problems of the call and of the response, errors first."""
        from sprig_tui.segment.lints import lint  # imported late: reading the config needs only the rules

        lints = (*self.faults, *lint(self.body, self.mapped_at))
        return tuple(sorted(lints, key=lambda lint: lint.level))
