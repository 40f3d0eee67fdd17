"""Sentences on Segment's discard reasons."""

from __future__ import annotations

import pytest

from sprig_tui.reconcile.reasons import attempt_of, reason_text
from sprig_tui.segment.metrics import Step

DOCUMENTED = {
    Step.FAILED_ON_INGEST: (
        "empty_batch_result project_not_found source_disabled SOURCE_DISABLED empty_batch multi_user_error"
        " no_user_anon_id event_not_defined event_not_string properties_not_object traits_not_object name_not_string"
        " category_not_string id_required id_not_string invalid_type missing_type"
        " consent_categorypreferences_should_exist consent_categorypreferences_fields_should_be_object"
        " consent_categorypreferences_fields_should_be_bool device_advertisingid_should_be_string"
        " consent_version_should_be_number bad_request BAD_REQUEST unknown_source invalid_settings locked_workspace"
        " internal TRACKING_API_FAILED SET_API_FAILED lambda_err too_many_requests FUNCTION_TIMEOUT RETRY_ERROR"
        " INVOKE_ERROR BAD_DEPLOY"
    ),
    Step.FILTERED_AT_SOURCE: (
        "common_schema_violation event_setting schema_violation unplanned unplanned_and_schema_violation"
    ),
    Step.FILTERED_AT_DESTINATION: (
        "FILTERED_BY_RULES FILTERED_BY_INTEGRATIONS_OBJECT UNKNOWN_INTEGRATION MESSAGE_SENT_CLIENT_SIDE"
        " UNSUPPORTED_EVENT_TYPE INVALID_SETTINGS FUNCTIONS_LOCK_OUT INTERNAL NO_MATCHING_MAPPING"
        " NO_ENABLED_DESTINATIONS FILTERED_AT_MAPPING FAILED_DATA_ENCRYPTION DROP_EVENT bad_request invalid_settings"
        " message_rejected unsupported_event_type internal too_many_requests gateway_timeout retry"
        " FILTERED_BY_END_USER_CONSENT"
    ),
    Step.FAILED_DELIVERY: (
        "INVALID_SETTINGS 429 EREFUSED UNSUPPORTED_EVENT_TYPE MESSAGE_REJECTED 400 BAD_REQUEST ETIMEDOUT etimedout"
        " ENOTFOUND INTERNAL 404 307 502 503 RETRY 401 ECONNRESET expires RESOURCE_LOCKED throttles"
    ),
}
"""The Delivery Overview's table of 2025-11."""


def test_each_documented_reason_has_a_sentence():
    texts = {
        (step, reason): reason_text(step, reason) for step, names in DOCUMENTED.items() for reason in names.split()
    }
    assert {place: text for place, text in texts.items() if not 20 < len(text) < 160 or text.endswith(".")} == {}


def test_the_same_name_means_what_it_does_at_its_step():
    assert "Segment could not read" in reason_text(Step.FAILED_ON_INGEST, "bad_request")
    assert "function" in reason_text(Step.FILTERED_AT_DESTINATION, "bad_request")
    assert "destination rejected" in reason_text(Step.FAILED_DELIVERY, "BAD_REQUEST")


def test_name_of_another_step_keeps_its_meaning():
    assert "source is disabled" in reason_text(Step.FILTERED_AT_SOURCE, "source_disabled")
    assert reason_text(Step.FILTERED_AT_SOURCE, "bad_request") == "", "it means something else at each step"


@pytest.mark.parametrize("reason", ["", "made_up", "\x1b[31m", "4000", "099", "successes.attempt.2", "x" * 5000])
def test_nothing_is_guessed_about_an_unknown_reason(reason):
    assert reason_text(Step.FAILED_DELIVERY, reason) == ""


def test_other_http_codes_are_explained_by_their_family():
    assert "504 Gateway Timeout" in reason_text(Step.FAILED_DELIVERY, "504")
    assert "tries again" in reason_text(Step.FAILED_DELIVERY, "599")
    assert reason_text(Step.FAILED_DELIVERY, "422").startswith("the destination answered 422 ")


def test_deliveries_name_the_try():
    assert reason_text(Step.DELIVERED, "successes.attempt.1") == "delivered at once"
    assert reason_text(Step.DELIVERED, "successes.attempt.10") == "delivered on try 10"
    assert [attempt_of(name) for name in ("successes.attempt.3", "Successes.Attempt.7", "successes.attempt.", "")] == [
        3,
        7,
        0,
        0,
    ]
