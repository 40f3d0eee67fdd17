"""Why Segment discards an event after answering 200: its own names, which lints and the look-alike share.

They appear in no response, only in Segment's Event Delivery view (facts/segment.md 1.4).
"""

from __future__ import annotations

EMPTY_BATCH = "empty_batch"
EMPTY_BATCH_RESULT = "empty_batch_result"
MULTI_USER_ERROR = "multi_user_error"
NO_USER_ANON_ID = "no_user_anon_id"
ID_REQUIRED = "id_required"
ID_NOT_STRING = "id_not_string"
EVENT_NOT_DEFINED = "event_not_defined"
EVENT_NOT_STRING = "event_not_string"
PROPERTIES_NOT_OBJECT = "properties_not_object"
TRAITS_NOT_OBJECT = "traits_not_object"
SOURCE_DISABLED = "source_disabled"
LOCKED_WORKSPACE = "locked_workspace"
UNKNOWN_SOURCE = "unknown_source"
