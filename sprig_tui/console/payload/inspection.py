"""Inspection of one record: its call, its fields, and whether it would be sent, or was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, Raw, Struct

from sprig_tui.ingest import EntryBuilder
from sprig_tui.journal.content import record_absence
from sprig_tui.journal.records import Delivery, DeliveryDetail
from sprig_tui.mapping.records import FieldTrace, Level, Mapping
from sprig_tui.mapping.trace import add_plan_lints
from sprig_tui.reasons import Reason
from sprig_tui.segment.lints import Lint
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin, Record, StudyResponse, Unsendable

if TYPE_CHECKING:
    from sprig_tui.config.paths import Paths
    from sprig_tui.config.settings import Settings

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_EXPANDED = ("properties", "context")

PlanCheck = Callable[[str, bytes], tuple[Lint, ...]]
"""Lints of the stored tracking plan, by environment and call."""


def no_plan(_: str, __: bytes) -> tuple[Lint, ...]:
    """The check where there is no tracking plan."""
    return ()


def plan_check(settings: Settings, paths: Paths) -> PlanCheck:
    """The check by stored tracking plans; without a token there is none, and nothing is imported for it."""
    if settings.workspace.token is None:
        return no_plan
    from sprig_tui.config.tracking_plans import PlanCache

    return PlanCache(settings, paths).lints


class Inspection(Struct, frozen=True, kw_only=True):
    """Record as the pane shows it."""

    raw: bytes
    body: bytes = b""
    """The call; empty where nothing could be mapped."""
    fields: tuple[FieldTrace, ...] = ()
    environment: str = ""
    """Environment that it would be sent to, or was; empty where that is unknown."""
    withheld: str = ""
    """`Reason` why it would be withheld; empty for a record that would be sent."""
    detail: str = ""
    lints: tuple[Lint, ...] = ()
    record: Record | None = None
    """Record to send; None where the record of a delivery cannot be read again."""
    place: str = ""
    """File and line, such as `answers.jsonl:14`."""
    edited: bool = False
    delivery: Delivery | None = None
    """Delivery, where the record comes from the log."""
    no_record: str = ""
    """Why a delivery has no record to map again or to edit; empty where it has one."""
    remapped: bool = False
    """Whether the call is the one that the present rules make, not the one that was sent."""
    rules_error: str = ""
    """Why the rules cannot be used now, such as a hash key that cannot be read; then nothing can be sent."""


def has_problems(record: Record, intake: EntryBuilder, now_ms: int, check_plan: PlanCheck = no_plan) -> bool:
    """Whether a person would want to look at this record before it is sent: it would be withheld, or something is off.

    What every record of a file may lack, such as when its survey was made, is no trouble.
    """
    if isinstance(record, Unsendable):
        return True
    mapping = intake.mapper.map(record, environment=intake.route(record).environment, now_ms=now_ms)
    return mapping.withheld is not None or bool(mapping.lints) or bool(check_plan(mapping.environment, mapping.body))


def inspect_record(
    record: Record, intake: EntryBuilder, now_ms: int, *, edited: bool = False, check_plan: PlanCheck = no_plan
) -> Inspection:
    """Inspect a record before it is sent; never raises for its content."""
    if isinstance(record, Unsendable):
        return _unsendable(record, edited=edited)
    route = intake.route(record)
    mapping = intake.mapper.map(record, environment=route.environment, now_ms=now_ms)
    return inspect_mapping(record, mapping, route.detail, edited=edited, check_plan=check_plan)


def inspect_mapping(
    record: StudyResponse,
    mapping: Mapping,
    route: str = "",
    *,
    edited: bool = False,
    check_plan: PlanCheck = no_plan,
) -> Inspection:
    """Inspect a mapped record; `route` is the detail about its environment."""
    plan_lints = check_plan(mapping.environment, mapping.body)
    told = mapping.withheld is None or mapping.withheld is Reason.ENVIRONMENT_UNKNOWN
    return Inspection(
        raw=record.raw,
        body=mapping.body,
        fields=add_plan_lints(mapping.fields, plan_lints),
        environment=mapping.environment,
        withheld=mapping.withheld or "",
        detail=(route or mapping.detail) if told else mapping.detail,
        lints=(*mapping.lints, *plan_lints),
        record=record,
        place=record.origin.text,
        edited=edited,
    )


def inspect_delivery(
    detail: DeliveryDetail,
    intake: EntryBuilder,
    now_ms: int,
    *,
    remapped: bool = False,
    check_plan: PlanCheck = no_plan,
) -> Inspection:
    """A delivery of the log, as it was sent; or, `remapped`, as the rules would make it now.

    Rows of a CSV export cannot be read again by themselves: their labels stand in the file. Such a delivery is shown as
    it was sent, and cannot be sent as a changed one.
    """
    delivery = detail.delivery
    record, mapping = _mapped_again(detail, intake, now_ms)
    if record is not None and mapping is not None and remapped:
        now = inspect_mapping(record, mapping, check_plan=check_plan)
        return msgspec.structs.replace(
            now, delivery=delivery, remapped=True, edited=delivery.edited, place=_source(delivery)
        )
    fields = (
        _as_sent(detail.body, mapping)
        if detail.body
        else _withheld_fields(delivery.reason, delivery.detail or record_absence(detail), delivery)
    )
    return Inspection(
        raw=detail.raw,
        body=detail.body,
        fields=fields,
        environment=delivery.environment,
        withheld=delivery.reason,
        detail=delivery.detail,
        record=record,
        place=_source(delivery),
        edited=delivery.edited,
        delivery=delivery,
        no_record=record_absence(detail),
    )


def _source(delivery: Delivery) -> str:
    return f"{delivery.source}:{delivery.line}" if delivery.line else delivery.source


def _mapped_again(
    detail: DeliveryDetail, intake: EntryBuilder, now_ms: int
) -> tuple[StudyResponse | None, Mapping | None]:
    """The record of a delivery, read again: the one with the same message id, or the only one."""
    delivery = detail.delivery
    found: list[tuple[StudyResponse, Mapping]] = []
    for record in parse_document(detail.raw, Origin(delivery.source, "", delivery.line)):
        if isinstance(record, StudyResponse):
            environment = delivery.environment or intake.route(record).environment
            mapping = intake.mapper.map(record, environment=environment, now_ms=now_ms)
            if mapping.message_id == delivery.message_id:
                return record, mapping
            found.append((record, mapping))
        if len(found) > 1:
            break
    return found[0] if len(found) == 1 else (None, None)


def _as_sent(body: bytes, mapping: Mapping | None) -> tuple[FieldTrace, ...]:
    """Fields of the call as sent; the origin is known for those that would be the same today."""
    now = {field.path: field for field in mapping.fields} if mapping is not None else {}
    return tuple(_sent_field(path, value, now.get(path)) for path, value in _body_fields(body))


def _body_fields(body: bytes) -> Iterator[tuple[str, Raw]]:
    try:
        call = _OBJECT.decode(body)
    except (ValueError, RecursionError):
        return
    for name, value in call.items():
        if name in _EXPANDED and bytes(value).lstrip()[:1] == b"{":
            for inner, part in _OBJECT.decode(value).items():
                yield f"{name}.{inner}", part
        else:
            yield name, value


def _sent_field(path: str, value: Raw, now: FieldTrace | None) -> FieldTrace:
    if now is None:
        return FieldTrace(path, value, "as sent")
    same = now.value is not UNSET and _value_text(now.value) == bytes(value)
    if same:
        return FieldTrace(path, value, now.origin, now.note, now.level)
    would = "be omitted" if now.value is UNSET else f"be {_value_text(now.value)[:200].decode(errors='replace')}"
    return FieldTrace(path, value, "as sent", f"mapped now it would {would}", "warning")


def _value_text(value: object) -> bytes:
    return bytes(value) if isinstance(value, Raw) else msgspec.json.encode(value)


def _unsendable(record: Unsendable, *, edited: bool) -> Inspection:
    return Inspection(
        raw=record.raw,
        fields=_withheld_fields(record.reason, record.detail, record, path=record.path),
        environment=record.environment or "",
        withheld=record.reason,
        detail=record.explanation,
        record=record,
        place=record.origin.text,
        edited=edited,
    )


def _withheld_fields(
    reason: str, detail: str, known: Unsendable | Delivery, *, path: str = ""
) -> tuple[FieldTrace, ...]:
    """Fields of a record without a call: its problem, and what is known of it."""
    level: Level = "error" if reason == Reason.INVALID else "warning"
    found = [FieldTrace(path or "the record", UNSET, "", detail or reason, level)]
    for name, value in (
        ("userId", known.user_id),
        ("properties.surveyName", known.survey_name),
        ("properties.surveyId", known.survey_id),
    ):
        if value:
            found.append(FieldTrace(name, value, "the record"))
    return tuple(found)
