"""From records to the journal's entries: here, or in a process of its own."""

from sprig_tui.ingest.entries import PREVIEW_CHARS, EntryBuilder, EnvironmentRoute, preview

__all__ = ["PREVIEW_CHARS", "EntryBuilder", "EnvironmentRoute", "preview"]
