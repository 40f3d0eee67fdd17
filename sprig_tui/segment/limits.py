"""Limits, addresses and discard reasons of Segment's HTTP Tracking API."""

from __future__ import annotations

from sprig_tui.http import MAX_RETRY_AFTER_S

# Reasons for which Segment drops an event although it answered 200.
EMPTY_BATCH = "empty_batch"
MULTI_USER_ERROR = "multi_user_error"
NO_USER_ANON_ID = "no_user_anon_id"
ID_REQUIRED = "id_required"
ID_NOT_STRING = "id_not_string"
EVENT_NOT_DEFINED = "event_not_defined"
EVENT_NOT_STRING = "event_not_string"
PROPERTIES_NOT_OBJECT = "properties_not_object"
TRAITS_NOT_OBJECT = "traits_not_object"
SOURCE_DISABLED = "source_disabled"
UNKNOWN_SOURCE = "unknown_source"


MAX_EVENT_BYTES = 32_768
"""One event as JSON (documented as 32 KB; the official clients use 32,768)."""
MAX_BODY_BYTES = 500_000
"""One batch request (documented as 500 KB)."""
TARGET_BATCH_BYTES = 475_000
"""Size to which a body is filled, as in segment-analytics-python: leaves room for the envelope and for proxies."""
MAX_BATCH_EVENTS = 2_500
"""Above it Segment answers 200 and rejects the batch."""
MAX_PROPERTIES = 10_000
"""Properties of one event; more are dropped silently."""
MAX_MESSAGE_ID_CHARS = 100
"""Characters of a messageId."""
MAX_RETRY_AFTER_MS = int(MAX_RETRY_AFTER_S * 1000)
"""Longest Retry-After that is honoured."""
DEDUP_WINDOW_MS = 24 * 3600 * 1000
"""Time for which Segment remembers message ids (documented as about 24 hours)."""
SAFE_REPEAT_MS = 20 * 3600 * 1000
"""Age of a delivery up to which its repeat under the same id is taken for harmless: `about` leaves some hours."""
PARTNER_REQUESTS_PER_SECOND = 50.0
"""Requests, batches included, that Segment asks of partner integrations."""

ENDPOINT_URLS = {"us": "https://api.segment.io", "eu": "https://events.eu1.segmentapis.com"}
"""Base URL by region; routes are `/v1/...` below it."""

TOKEN_URLS = {
    "https://api.segment.io": "https://oauth2.segment.io/token",
    "https://events.eu1.segmentapis.com": "https://oauth2.eu1.segmentapis.com/token",
}
"""Token server by the base URL of the Tracking API: a token is valid in its region only (docs, connections/oauth)."""

PUBLIC_API_URLS = {"us": "https://api.segmentapis.com", "eu": "https://eu1.api.segmentapis.com"}
"""Base URL of the Public API by the workspace's region (docs.segmentapis.com, Getting Started)."""
PROFILE_API_URLS = {"us": "https://profiles.segment.com", "eu": "https://profiles.euw1.segment.com"}
"""Base URL of the Profile API by the workspace's region (Segment's docs, unify/profile-api)."""
