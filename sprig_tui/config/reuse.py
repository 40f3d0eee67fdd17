"""Reused secrets: what a key that is about to be stored is already known as here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sprig_tui.config.keysource import PUBLIC_API_TOKEN, SPRIG_API_KEY, WEBHOOK_TOKEN, WRITE_KEY, SecretKind

if TYPE_CHECKING:
    from sprig_tui.config.environment import Secret
    from sprig_tui.config.settings import Settings

SECRET_NAMES = {
    WRITE_KEY.key: "the write key",
    WEBHOOK_TOKEN.key: "the webhook token",
    SPRIG_API_KEY.key: "the key of Sprig's API",
    PUBLIC_API_TOKEN.key: "the token of Segment's Public API",
}
ENVIRONMENT_SECRET_KINDS = (WRITE_KEY, WEBHOOK_TOKEN, SPRIG_API_KEY)


def describe_reuse(settings: Settings, text: str, kind: SecretKind, environment: str = "") -> tuple[str, ...]:
    """What the secret is already, in sentences such as `this is the write key of production`; never the secret.

    `kind` and `environment` say what it is to become; being just that already is not told.
    """
    if not text:
        return ()
    said: list[str] = []
    for found in settings.environments.values():
        for other in ENVIRONMENT_SECRET_KINDS:
            secret: Secret | None = getattr(found, other.key)
            if secret is None or secret.reveal() != text or (found.name, other.key) == (environment, kind.key):
                continue
            said.append(f"this is {SECRET_NAMES[other.key]} of {found.name}{_kind_difference(other, kind)}")
    token = settings.workspace.token
    if token is not None and token.reveal() == text and kind.key != PUBLIC_API_TOKEN.key:
        said.append(f"this is {SECRET_NAMES[PUBLIC_API_TOKEN.key]}{_kind_difference(PUBLIC_API_TOKEN, kind)}")
    return tuple(said)


def _kind_difference(found: SecretKind, wanted: SecretKind) -> str:
    return "" if found.key == wanted.key else f", not {SECRET_NAMES[wanted.key].replace('the ', 'a ', 1)}"
