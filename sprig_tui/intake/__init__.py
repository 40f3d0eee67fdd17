"""From records to the journal's entries: here, or in a process of its own."""

from sprig_tui.intake.entries import PREVIEW, Intake, Route, preview

__all__ = ["PREVIEW", "Intake", "Route", "preview"]
