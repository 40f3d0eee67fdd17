"""Carries each Sprig survey answer into Segment: shows what is sent, loses nothing, replays what failed."""
