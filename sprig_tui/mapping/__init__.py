"""Mapping of a StudyResponse to Segment's track call, without input or output."""
