"""What clients of servers without TLS share."""

from __future__ import annotations

import ssl

PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For `verify` of httpx: trusts nobody. Reading the list of authorities is most of what a client costs."""
