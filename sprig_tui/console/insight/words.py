"""Words of the insight screen: times, names and figures as text. Pure.

URLs of strangers become one line here; control characters are made visible where a line is drawn.
"""

from __future__ import annotations

from sprig_tui.console.reconcile.words import span_text
from sprig_tui.formatting import format_duration, relative_day, relative_time
from sprig_tui.journal.records import bare_url
from sprig_tui.journal.statistics import UNIT_MS, Bucket
from sprig_tui.journal.statistics_labels import UNKNOWN
from sprig_tui.segment.limits import ENDPOINT_URLS
from sprig_tui.text import one_line

MAX_NAME_CHARS = 60
_REGIONS = {url: name.upper() for name, url in ENDPOINT_URLS.items()}


def bucket_text(bucket: Bucket, now: int) -> str:
    """`14:00 to 15:00`, with the date where it is not today; a whole day as `29 Nov`. Local time."""
    return relative_day(bucket.since, now) if _is_day(bucket) else span_text(bucket.since, bucket.until, now)


def bucket_start(bucket: Bucket, now: int) -> str:
    """When it begins: `14:00`, `28 Nov 14:00`; a whole day as `28 Nov`."""
    return relative_day(bucket.since, now) if _is_day(bucket) else relative_time(bucket.since, now)


def _is_day(bucket: Bucket) -> bool:
    return bucket.until - bucket.since > 2 * UNIT_MS["hour"]


def endpoint_label(url: str) -> str:
    """The URL without its scheme, with the region where it is Segment's own."""
    shown = one_line(bare_url(url), limit=MAX_NAME_CHARS)
    region = _REGIONS.get(url)
    return f"{region}  {shown}" if region else shown or UNKNOWN


def latency_text(milliseconds: float) -> str:
    """Such as `38 ms` or `1.2 s`."""
    return format_duration(milliseconds / 1000)


def share_text(count: int, total: int) -> str:
    """A share in percent: `12 %`, `<1 %` for a small one, never `100 %` for less than all."""
    if not count or not total:
        return "0 %"
    percent = round(100 * count / total)
    if percent == 0:
        return "<1 %"
    return ">99 %" if percent == 100 and count < total else f"{percent} %"
