"""Fixtures of the tests of ingest."""

from support.engine_bench import bench

__all__ = ["bench"]
