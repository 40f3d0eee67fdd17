"""Segment: track calls and their limits, the clients of its two APIs, and the fake Segment."""
