"""The Segment look-alike: the documented Tracking API on loopback, with faults on demand."""

from sprig_tui.segment.sink.connection import Patience
from sprig_tui.segment.sink.fault_text import parse_rule, parse_rules, read_rules, rules_from_json
from sprig_tui.segment.sink.faults import FaultScript, Rule
from sprig_tui.segment.sink.server import Sink, serve
from sprig_tui.segment.sink.stats import KeyStats, RequestSeen, Stats
from sprig_tui.segment.sink.store import Received

__all__ = [
    "FaultScript",
    "KeyStats",
    "Patience",
    "Received",
    "RequestSeen",
    "Rule",
    "Sink",
    "Stats",
    "parse_rule",
    "parse_rules",
    "read_rules",
    "rules_from_json",
    "serve",
]
