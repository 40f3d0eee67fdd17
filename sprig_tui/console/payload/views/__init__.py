"""Views of a record, each made when it is first shown."""

from __future__ import annotations

from collections.abc import Mapping

from sprig_tui.config.environment import Environment
from sprig_tui.console.payload.inspection import Inspection
from sprig_tui.console.payload.views.base import CopiedText, RecordView
from sprig_tui.console.payload.views.fields import FieldsView
from sprig_tui.console.payload.views.json import JsonNode, JsonView, is_json
from sprig_tui.console.payload.views.text import CurlView, NoteView, RawView
from sprig_tui.segment.curl import curl_lines
from sprig_tui.segment.limits import ENDPOINT_URLS

VIEW_NAMES = ("Fields", "JSON", "Raw", "curl")
_NO_CALL_TEXT = "no call is made of this record, since it {}: Fields says why, Raw shows what was read"


def make_view(name: str, inspection: Inspection, environments: Mapping[str, Environment]) -> RecordView:
    """Make one of the VIEW_NAMES for a record."""
    if name == "Fields":
        return FieldsView(inspection.fields)
    if name == "Raw":
        return RawView(inspection.raw) if inspection.raw else NoteView(_no_record_text(inspection))
    if not is_json(inspection.body):
        if inspection.delivery is not None and inspection.delivery.content_dropped:
            return NoteView(inspection.no_record)
        return NoteView(_NO_CALL_TEXT.format("would be withheld" if inspection.withheld else "cannot be mapped"))
    return JsonView(inspection.body) if name == "JSON" else CurlView(curl_text(inspection, environments))


def _no_record_text(inspection: Inspection) -> str:
    why = inspection.no_record or "nothing was kept of what was read"
    return f"{why}; JSON shows its call" if is_json(inspection.body) else why


def curl_text(inspection: Inspection, environments: Mapping[str, Environment]) -> tuple[str, ...]:
    """Lines of the curl command; comments come first if the record is withheld, and with OAuth."""
    environment = environments.get(inspection.environment)
    base_url = environment.base_url if environment else ENDPOINT_URLS["us"]
    oauth = environment.oauth_credentials if environment else None
    return curl_lines(base_url, inspection.body, withheld=inspection.withheld or "", oauth=oauth)


def copied_call(inspection: Inspection | None) -> CopiedText | None:
    """The call as JSON, to be copied; None where none is made."""
    body = inspection.body if inspection is not None else b""
    return CopiedText(JsonNode(body).pretty(), "the JSON") if body else None


def copied_curl(inspection: Inspection | None, environments: Mapping[str, Environment]) -> CopiedText | None:
    """The curl command, to be copied; None where no call is made."""
    text = "\n".join(curl_text(inspection, environments)) if inspection is not None and inspection.body else ""
    return CopiedText(text, "the curl command") if text else None
