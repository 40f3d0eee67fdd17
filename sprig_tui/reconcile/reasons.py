"""Discard reasons: a sentence for each of Segment's, on what it means and what to do.

The names are those of the Delivery Overview (segment-docs, delivery-overview-discards.html, 2025-11), whose table names
each with its step. Segment writes some in both cases, and HTTP codes as text. A name that is not listed has no
sentence: it is shown as it is, and nothing is guessed.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from sprig_tui.segment.metrics import Step

_ASK_SEGMENT = "ask Segment's support"
_FUNCTION = "a function of the workspace"
_RETRIED = "Segment tries again for about four hours; look at the destination only if the number stays"

_ON_INGEST = {
    "source_disabled": "the source is disabled: enable it in Segment, then replay",
    "locked_workspace": f"the workspace is disabled: {_ASK_SEGMENT}",
    "project_not_found": "the Write Key belongs to no source: set the key again",
    "unknown_source": "the Write Key belongs to no source: set the key again",
    "id_required": "the call has no userId: see what preview shows for it",
    "no_user_anon_id": "the call has no userId: see what preview shows for it",
    "id_not_string": "its userId is empty or no text: see what preview shows for it",
    "event_not_defined": "the call has no event name: set mapping.event",
    "event_not_string": "its event name is no text: set mapping.event",
    "properties_not_object": "its properties are no JSON object: see what preview shows for it",
    "traits_not_object": "its traits are no JSON object; sprig-tui sends none, so another sender did",
    "name_not_string": "the name of a page call is no text; sprig-tui sends none, so another sender did",
    "category_not_string": "the category of a page call is no text; sprig-tui sends none, so another sender did",
    "invalid_type": "its type is none that Segment knows; sprig-tui sends track, so another sender did",
    "missing_type": "its type is missing; sprig-tui sends track, so another sender did",
    "multi_user_error": "some calls of a batch were faulty, and Segment took the others: replay that time",
    "empty_batch": "a batch had no calls; nothing is missing",
    "empty_batch_result": "no call of a batch was left after Segment had checked it: see what preview shows for them",
    "bad_request": "Segment could not read the request: a proxy on the way may have changed it",
    "consent_categorypreferences_should_exist": "a consent event has no categoryPreferences; another sender sent it",
    "consent_categorypreferences_fields_should_be_object": (
        "categoryPreferences of a consent event is no object; another sender sent it"
    ),
    "consent_categorypreferences_fields_should_be_bool": (
        "a categoryPreference of a consent event is neither true nor false; another sender sent it"
    ),
    "device_advertisingid_should_be_string": "the advertisingId of a consent event is no text; another sender sent it",
    "consent_version_should_be_number": "the version of a consent event is no number; another sender sent it",
    "invalid_settings": f"the settings of {_FUNCTION} cannot be used: correct them in Segment",
    "internal": f"{_FUNCTION} could not run, or Segment failed: deploy it again, or {_ASK_SEGMENT}",
    "bad_deploy": f"{_FUNCTION} is not deployed: deploy it again in Segment",
    "lambda_err": f"Segment could not run {_FUNCTION}: {_ASK_SEGMENT}",
    "too_many_requests": f"more events than Segment takes at once: set a lower requests_per_second, or {_ASK_SEGMENT}",
    "function_timeout": f"{_FUNCTION} took too long: make it faster",
    "retry_error": f"{_FUNCTION} asked for a retry: Segment tries again for about four hours",
    "invoke_error": f"{_FUNCTION} failed: look at its code in Segment",
    "tracking_api_failed": f"{_FUNCTION} could not hand on its events: {_ASK_SEGMENT} if the number stays",
    "set_api_failed": f"{_FUNCTION} could not store its objects: {_ASK_SEGMENT} if the number stays",
}
_AT_SOURCE = {
    "event_setting": "the source's schema blocks this event: allow it in the source's schema in Segment",
    "unplanned": (
        "the event is not in the tracking plan, and the source blocks what is not: add it to the plan, or allow"
        " unplanned events"
    ),
    "schema_violation": (
        "a field breaks the tracking plan, and the source blocks such events: sprig-tui explain names the field"
    ),
    "common_schema_violation": (
        "a field breaks the tracking plan's common schema, and the source blocks such events: sprig-tui explain names"
        " the field"
    ),
    "unplanned_and_schema_violation": (
        "the event is not in the tracking plan, and breaks its schema too: add it, or allow unplanned events"
    ),
}
_AT_DESTINATION = {
    "filtered_by_rules": "a filter of the destination matched: sprig-tui explain ID --send-payload says which",
    "filtered_by_integrations_object": (
        "the call's own `integrations` turns this destination off: change mapping.integrations"
    ),
    "filtered_by_end_user_consent": "the person did not consent to this destination: nothing to repair",
    "no_matching_mapping": (
        "no mapping of the destination is triggered by this event: add one, or change a trigger, in Segment"
    ),
    "filtered_at_mapping": "a mapping of the destination left it out: look at its conditions in Segment",
    "unsupported_event_type": "the destination takes no track calls: use another destination, or a function",
    "invalid_settings": "the destination lacks a setting that this event needs: complete it in Segment",
    "unknown_integration": "`integrations` names a destination that does not exist: correct mapping.integrations",
    "message_sent_client_side": "the website or app sends this event to the destination itself",
    "no_enabled_destinations": "the source has no destination that is enabled: enable one in Segment",
    "failed_data_encryption": "a field could not be encrypted for this destination: look at its privacy settings",
    "drop_event": f"{_FUNCTION} dropped it on purpose: look at its code in Segment",
    "functions_lock_out": "the plan's limit for functions is reached: functions run again with a larger plan",
    "bad_request": f"{_FUNCTION} could not read the event, or failed: look at its code in Segment",
    "message_rejected": f"{_FUNCTION} found the event incomplete: look at what it needs",
    "internal": f"Segment failed: {_ASK_SEGMENT} if the number stays",
    "too_many_requests": f"more events than {_FUNCTION} may get at once: {_ASK_SEGMENT}",
    "gateway_timeout": f"{_FUNCTION} took too long: make it faster",
    "retry": f"{_FUNCTION} asked for a retry: Segment tries again for about four hours",
}
_DELIVERY = {
    "invalid_settings": "the destination lacks a setting that this event needs: complete it in Segment",
    "unsupported_event_type": "the destination takes no track calls: use another destination, or a function",
    "message_rejected": "the destination rejected it: compare its required fields with what preview shows",
    "bad_request": "the destination rejected the payload: compare its required fields with what preview shows",
    "etimedout": f"the destination did not answer in time; {_RETRIED}",
    "econnreset": f"the destination closed the connection; {_RETRIED}",
    "erefused": f"the destination took no connection; {_RETRIED}",
    "enotfound": "the destination's address does not exist: correct its URL in Segment",
    "internal": f"Segment could not connect to the destination; {_RETRIED}",
    "retry": f"the first request failed; {_RETRIED}",
    "expires": "Segment tried as long as it does, and gave up: once the destination works, replay that time as new",
    "resource_locked": "the destination takes one request at a time there: send fewer at once to it",
    "throttles": "the destination takes fewer events than come: ask its provider for a higher limit",
    "400": "the destination rejected the payload: compare its required fields with what preview shows",
    "401": "the destination refused its credentials: connect it again in Segment",
    "403": "the destination refused its credentials: connect it again in Segment",
    "404": "the destination does not know the address or the object: correct its settings in Segment",
    "307": "the destination moved for a while; Segment follows by itself",
    "429": f"the destination takes fewer events than come; {_RETRIED}",
}
_SENTENCES = {
    Step.FAILED_ON_INGEST: _ON_INGEST,
    Step.FILTERED_AT_SOURCE: _AT_SOURCE,
    Step.FILTERED_AT_DESTINATION: _AT_DESTINATION,
    Step.FAILED_DELIVERY: _DELIVERY,
}
_OF_ONE_STEP = {
    name: text
    for name, text in ((name, text) for table in _SENTENCES.values() for name, text in table.items())
    if sum(name in table for table in _SENTENCES.values()) == 1
}
"""Names that mean the same wherever they turn up."""
_HTTP_CODE = re.compile(r"[1-5][0-9]{2}")
_DELIVERED_ON_ATTEMPT = re.compile(r"successes\.attempt\.([0-9]{1,3})")


def reason_text(step: Step, reason: str) -> str:
    """One sentence on a reason by Segment's name; empty for one that is not known."""
    name = reason.strip().lower()
    if step is Step.DELIVERED:
        attempt = attempt_of(name)
        return "" if not attempt else "delivered at once" if attempt == 1 else f"delivered on try {attempt}"
    return _SENTENCES.get(step, {}).get(name) or _OF_ONE_STEP.get(name) or _http_text(name)


def attempt_of(reason: str) -> int:
    """The try that `successes.attempt.N` stands for, from 1; 0 for other reasons."""
    match = _DELIVERED_ON_ATTEMPT.fullmatch(reason.strip().lower())
    return int(match[1]) if match else 0


def _http_text(name: str) -> str:
    """A sentence on an HTTP status that has none of its own."""
    if not _HTTP_CODE.fullmatch(name):
        return ""
    try:
        status = f"{name} {HTTPStatus(int(name)).phrase}"
    except ValueError:
        status = name
    if name.startswith("5"):
        return f"the destination answered {status}; {_RETRIED}"
    return f"the destination answered {status}: look at its settings in Segment"
