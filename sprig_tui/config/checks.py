"""What is off with keys and environments across the config, told without showing a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from sprig_tui.config.secret_lint import WEBHOOK_TOKEN_RULES, WRITE_KEY_RULES, lint_secret
from sprig_tui.config.secrets import PUBLIC_API_TOKEN, SPRIG_API_KEY, WEBHOOK_TOKEN, WRITE_KEY, SecretKind

if TYPE_CHECKING:
    from sprig_tui.config.environment import Secret
    from sprig_tui.config.settings import Settings


class ConfigWarning(Struct, frozen=True):
    """One thing to look at; `level` as in `doctor`."""

    level: Literal["warning", "fault"]
    message: str
    hint: str = ""


def check_keys(settings: Settings) -> tuple[ConfigWarning, ...]:
    """Keys that look odd, tokens that are guessed, one key in two environments, a config that others can read."""
    return (
        *_check_key_format(settings),
        *check_webhook_tokens(settings),
        *_check_shared_keys(settings),
        *_check_shared_api_keys(settings),
        *check_file_mode(settings),
    )


def check_webhook_tokens(settings: Settings) -> list[ConfigWarning]:
    """Webhook tokens that can be guessed by trying."""
    found: list[ConfigWarning] = []
    for name, environment in settings.environments.items():
        if environment.webhook_token is not None:
            lint = lint_secret(environment.webhook_token.reveal(), WEBHOOK_TOKEN_RULES)
            found.extend(
                ConfigWarning(
                    "warning",
                    f"{name}: its webhook token is too short: {fault.message}",
                    f"sprig-tui keys token {name} --generate makes a better one",
                )
                for fault in lint.warnings
            )
    return found


def check_environment_ids(settings: Settings) -> tuple[ConfigWarning, ...]:
    """One Sprig environment id in two environments: which one a webhook is for could not be told."""
    seen: dict[str, str] = {}
    found = []
    for name, environment in settings.environments.items():
        sprig_id = environment.sprig_environment_id
        if sprig_id and sprig_id in seen:
            found.append(
                ConfigWarning(
                    "fault",
                    f"{seen[sprig_id]} and {name} have the same sprig_environment_id",
                    "each id belongs to one environment; correct one of them",
                )
            )
        elif sprig_id:
            seen[sprig_id] = name
    return tuple(found)


def _check_key_format(settings: Settings) -> list[ConfigWarning]:
    found: list[ConfigWarning] = []
    for name, environment in settings.environments.items():
        if environment.write_key is not None:
            lint = lint_secret(environment.write_key.reveal(), WRITE_KEY_RULES)
            found.extend(
                ConfigWarning("warning", f"{name}: its key looks odd: {fault.message}", fault.hint)
                for fault in lint.warnings
            )
    return found


def _check_shared_keys(settings: Settings) -> list[ConfigWarning]:
    by_key: dict[str, list[str]] = {}
    for name, environment in settings.environments.items():
        if environment.write_key is not None:
            by_key.setdefault(environment.write_key.reveal(), []).append(name)
    return [
        ConfigWarning(
            "warning",
            f"the same key in {' and '.join(names)}",
            "a key belongs to one source in Segment; give each environment a source of its own",
        )
        for names in by_key.values()
        if len(names) > 1
    ]


def _check_shared_api_keys(settings: Settings) -> list[ConfigWarning]:
    by_key: dict[str, list[str]] = {}
    for name, environment in settings.environments.items():
        if environment.sprig_api_key is not None:
            by_key.setdefault(environment.sprig_api_key.reveal(), []).append(name)
    return [
        ConfigWarning(
            "warning",
            f"the same key of Sprig's API in {' and '.join(names)}: each of them would get the other's answers",
            "Sprig has a key for each environment; give each its own",
        )
        for names in by_key.values()
        if len(names) > 1
    ]


def check_file_mode(settings: Settings) -> list[ConfigWarning]:
    """A config with secrets in it that others may read."""
    document = settings.document
    secret = settings.stored_secrets or settings.workspace.stored
    if not secret or not document.is_readable_by_others:
        return []
    return [
        ConfigWarning(
            "warning",
            f"{document.file} holds keys and others may read it (mode {document.mode:04o})",
            f"chmod 600 {document.file}",
        )
    ]


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
