"""Ingest: records become journal entries, mapped here or in a subprocess, and are added to the journal."""

from sprig_tui.ingest.entries import PREVIEW_CHARS, EntryBuilder, EnvironmentRoute, preview

__all__ = ["PREVIEW_CHARS", "EntryBuilder", "EnvironmentRoute", "preview"]
