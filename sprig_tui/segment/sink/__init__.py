"""Fake Segment: the documented Tracking API on loopback, with faults on demand."""

from sprig_tui.segment.sink.connection import Timeouts
from sprig_tui.segment.sink.fault_syntax import parse_rule, parse_rules, read_rules, rules_from_json
from sprig_tui.segment.sink.faults import FaultRule, FaultScript
from sprig_tui.segment.sink.server import Sink, serve
from sprig_tui.segment.sink.store import KeyStats, ReceivedEvent, RequestRecord, Stats

__all__ = [
    "FaultRule",
    "FaultScript",
    "KeyStats",
    "ReceivedEvent",
    "RequestRecord",
    "Sink",
    "Stats",
    "Timeouts",
    "parse_rule",
    "parse_rules",
    "read_rules",
    "rules_from_json",
    "serve",
]
