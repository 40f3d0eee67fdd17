"""Guided set-up: from nothing to the first answer in Segment."""
