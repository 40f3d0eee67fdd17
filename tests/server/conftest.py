"""Self-signed certificate for the server tests."""

from __future__ import annotations

import pytest
from support.certificates import self_signed


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that signed itself, and its key."""
    return self_signed(tmp_path)
