"""From a StudyResponse to Segment's track call: pure, field by field, with its reasons."""
