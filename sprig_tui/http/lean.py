"""httpx without its command line: that brings rich and pygments along, more than half of what loading httpx costs.

Every module takes httpx from here, so that the first of them decides.
"""

from __future__ import annotations

import sys

_COMMAND_LINE = "httpx._main"

if _COMMAND_LINE in sys.modules:
    import httpx
else:
    sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment] # httpx takes this as its extra `cli` not being there
    try:
        import httpx
    finally:
        del sys.modules[_COMMAND_LINE]

__all__ = ["httpx"]
