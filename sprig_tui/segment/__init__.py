"""Segment's side of the river: the track message and its limits, the Tracking API client, the look-alike."""
