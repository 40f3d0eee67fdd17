"""Widgets that every pane uses."""
