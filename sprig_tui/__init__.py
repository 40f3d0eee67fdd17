"""Carries each Sprig survey answer into Segment: shows what is sent, loses nothing, replays what failed.

What `sprig-tui send` does, as a script:

    import asyncio
    from sprig_tui import DeliverySettings, Engine, EntryBuilder, Environment, Rules, WriteKey
    from sprig_tui import ingest_records, open_journal, read_responses, wait_until_settled

    async def main():
        environments = {"production": Environment(name="production", write_key=WriteKey(key))}
        async with open_journal("journal.db") as journal, Engine(journal, environments, DeliverySettings()) as engine:
            builder = EntryBuilder(Rules(), environments, "production")
            result = await ingest_records(read_responses(["answers.jsonl"]), builder, journal, engine)
            await wait_until_settled(journal, result.ids, result.environments, engine=engine)

    asyncio.run(main())

Everything named in `__all__` is the public interface; it is imported when it is first asked for.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sprig_tui.config.environment import DeliverySettings as DeliverySettings
    from sprig_tui.config.environment import Environment as Environment
    from sprig_tui.config.environment import WriteKey as WriteKey
    from sprig_tui.config.paths import find_paths as find_paths
    from sprig_tui.config.secret_reader import read_secrets as read_secrets
    from sprig_tui.config.settings import Settings as Settings
    from sprig_tui.config.settings import load_settings as load_settings
    from sprig_tui.delivery.engine import Engine as Engine
    from sprig_tui.delivery.snapshot import EngineSnapshot as EngineSnapshot
    from sprig_tui.delivery.wait import wait_until_settled as wait_until_settled
    from sprig_tui.errors import ConfigError as ConfigError
    from sprig_tui.errors import ExitCode as ExitCode
    from sprig_tui.errors import FilterError as FilterError
    from sprig_tui.errors import InputError as InputError
    from sprig_tui.errors import JournalError as JournalError
    from sprig_tui.errors import SprigTuiError as SprigTuiError
    from sprig_tui.ingest import EntryBuilder as EntryBuilder
    from sprig_tui.ingest.ingest import IngestResult as IngestResult
    from sprig_tui.ingest.ingest import ingest_records as ingest_records
    from sprig_tui.journal.base import Journal as Journal
    from sprig_tui.journal.filter import parse_filter as parse_filter
    from sprig_tui.journal.open import open_journal as open_journal
    from sprig_tui.journal.query import Query as Query
    from sprig_tui.journal.records import Attempt as Attempt
    from sprig_tui.journal.records import Delivery as Delivery
    from sprig_tui.journal.records import NewDelivery as NewDelivery
    from sprig_tui.journal.records import State as State
    from sprig_tui.mapping.mapper import Mapper as Mapper
    from sprig_tui.mapping.mapper import map_response as map_response
    from sprig_tui.mapping.records import FieldTrace as FieldTrace
    from sprig_tui.mapping.records import Mapping as Mapping
    from sprig_tui.mapping.records import Rules as Rules
    from sprig_tui.mapping.records import Survey as Survey
    from sprig_tui.reasons import Reason as Reason
    from sprig_tui.segment.client import SendResult as SendResult
    from sprig_tui.segment.client import TrackingClient as TrackingClient
    from sprig_tui.sprig.reader import read_responses as read_responses
    from sprig_tui.sprig.records import Origin as Origin
    from sprig_tui.sprig.records import StudyResponse as StudyResponse
    from sprig_tui.sprig.records import Unsendable as Unsendable

__version__ = "0.2.0"
"""The one place of the version; the topic `changes` begins with it."""

_NAMES_BY_MODULE = {
    "config.environment": ("DeliverySettings", "Environment", "WriteKey"),
    "journal.open": ("open_journal",),
    "config.paths": ("find_paths",),
    "config.secret_reader": ("read_secrets",),
    "config.settings": ("Settings", "load_settings"),
    "delivery.engine": ("Engine",),
    "ingest.ingest": ("IngestResult", "ingest_records"),
    "delivery.snapshot": ("EngineSnapshot",),
    "delivery.wait": ("wait_until_settled",),
    "errors": ("ConfigError", "ExitCode", "FilterError", "InputError", "JournalError", "SprigTuiError"),
    "ingest": ("EntryBuilder",),
    "journal.base": ("Journal",),
    "journal.filter": ("parse_filter",),
    "journal.query": ("Query",),
    "journal.records": ("Attempt", "Delivery", "NewDelivery", "State"),
    "mapping.mapper": ("Mapper", "map_response"),
    "mapping.records": ("FieldTrace", "Mapping", "Rules", "Survey"),
    "reasons": ("Reason",),
    "segment.client": ("SendResult", "TrackingClient"),
    "sprig.reader": ("read_responses",),
    "sprig.records": ("Origin", "StudyResponse", "Unsendable"),
}
_FORMER_NAMES = {
    "Answer": "SendResult",
    "Entry": "NewDelivery",
    "Fed": "IngestResult",
    "Intake": "EntryBuilder",
    "feed": "ingest_records",
    "until_settled": "wait_until_settled",
}
"""Names of version 0.1 and what they are called now; they go with version 0.3."""
_FORMER_KEYWORDS = {
    "feed": {"check": "on_entry", "into": "result", "progress": "on_progress"},
    "until_settled": {"patience": "timeout_s", "progress": "on_progress"},
}
"""Keyword parameters of those functions, as they were called then."""
_MODULES = {name: f"{__name__}.{module}" for module, names in _NAMES_BY_MODULE.items() for name in names}

__all__ = [  # noqa: PLE0604 - the table above is the one list of names
    "__version__",
    *sorted(_MODULES),
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name in _MODULES:
        value: Any = getattr(importlib.import_module(_MODULES[name]), name)
    elif name in _FORMER_NAMES:
        warnings.warn(f"sprig_tui.{name} is now sprig_tui.{_FORMER_NAMES[name]}", DeprecationWarning, stacklevel=2)
        return _with_former_keywords(__getattr__(_FORMER_NAMES[name]), _FORMER_KEYWORDS.get(name))
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _with_former_keywords(public: Any, keywords: dict[str, str] | None) -> Any:
    if keywords is None:
        return public

    @functools.wraps(public)
    def renamed(*arguments: Any, **options: Any) -> Any:
        return public(*arguments, **{keywords.get(option, option): value for option, value in options.items()})

    return renamed


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
