"""The Segment workspace: where its Public API is, and the token that may ask it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, structs

from sprig_tui.config.endpoint import parse_region
from sprig_tui.config.environment import PublicApiToken
from sprig_tui.config.keysource import PUBLIC_API_TOKEN, resolve_secret
from sprig_tui.config.sections import SegmentTable
from sprig_tui.config.warnings import ConfigWarning
from sprig_tui.segment.limits import PUBLIC_API_URLS


class Workspace(Struct, frozen=True):
    """What is known of the workspace; without a token nothing is asked of it."""

    token: PublicApiToken | None = None
    region: str = "us"
    """`us`, `eu`, or a base URL."""
    stored: bool = False
    """Whether a token stands in the config file itself."""

    @property
    def base_url(self) -> str:
        """The Public API as a URL without a trailing slash."""
        return PUBLIC_API_URLS.get(self.region, self.region).rstrip("/")


def make_workspace(
    table: SegmentTable, label: str, environ: Mapping[str, str]
) -> tuple[Workspace, list[ConfigWarning]]:
    """The workspace of `[segment]`, and what is off with it; raises ConfigError, which names `what`."""
    region = "us" if table.region is None else parse_region(table.region, label)
    found, notes = resolve_secret(PUBLIC_API_TOKEN, "", table.public_api_token, table.public_api_token_env, environ)
    token = PublicApiToken(*found) if found else None
    warnings = [structs.replace(note, table="segment") for note in notes]
    return Workspace(token, region, bool(table.public_api_token)), warnings
