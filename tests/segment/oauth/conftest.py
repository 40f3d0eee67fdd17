"""What the tests of OAuth share."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.rsa_keys import write_private_key

from sprig_tui.segment.oauth.credentials import OAuthCredentials
from sprig_tui.segment.oauth.private_key import read_private_key
from sprig_tui.segment.sink import Sink


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The private key that the sinks of these tests know."""
    return write_private_key(tmp_path_factory.mktemp("oauth"))


def credentials_for(sink_or_url: Sink | str, file: Path) -> OAuthCredentials:
    """Credentials of the invented OAuth app, for the token server of a sink."""
    url = sink_or_url if isinstance(sink_or_url, str) else sink_or_url.url
    return OAuthCredentials(
        client_id="2Xapp", key_id="2Xkey", key=read_private_key(file), token_url=f"{url.rstrip('/')}/token"
    )
