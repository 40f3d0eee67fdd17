"""Screens beside the panes: help, workers, progress."""
