"""Checks of keys, tokens and environment ids across the config. Messages never hold a key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from sprig_tui.config.secret_lint import WEBHOOK_TOKEN_RULES, WRITE_KEY_RULES, lint_secret
from sprig_tui.config.secrets import (
    HMAC_KEY,
    PROFILE_TOKEN,
    PUBLIC_API_TOKEN,
    SPRIG_API_KEY,
    WEBHOOK_TOKEN,
    WRITE_KEY,
    SecretKind,
)

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment, Secret
    from sprig_tui.config.settings import Settings


class ConfigProblem(Struct, frozen=True):
    """One problem of the config; `level` as in `doctor`."""

    level: Literal["warning", "fault"]
    message: str
    hint: str = ""


def check_keys(settings: Settings) -> tuple[ConfigProblem, ...]:
    """Keys of an unusual form, short or missing tokens, keys used twice, and keys that other users can read."""
    return (
        *_check_key_format(settings.environments),
        *_check_webhook_tokens(settings.environments),
        *check_shared_keys(settings.environments),
        *check_reconciliation(settings),
        *_check_profile(settings),
        *check_file_mode(settings),
    )


def _check_key_format(environments: Mapping[str, Environment]) -> list[ConfigProblem]:
    return [
        ConfigProblem("warning", f"{name}: its key looks odd: {fault.message}", fault.hint)
        for name, environment in environments.items()
        if environment.write_key is not None and environment.write_key.is_read
        for fault in lint_secret(environment.write_key.reveal(), WRITE_KEY_RULES).warnings
    ]


def _check_webhook_tokens(environments: Mapping[str, Environment]) -> list[ConfigProblem]:
    return [
        ConfigProblem(
            "warning",
            f"{name}: its webhook token is too short: {fault.message}",
            f"sprig-tui keys token {name} --generate makes a better one",
        )
        for name, environment in environments.items()
        if environment.webhook_token is not None and environment.webhook_token.is_read
        for fault in lint_secret(environment.webhook_token.reveal(), WEBHOOK_TOKEN_RULES).warnings
    ]


def _check_profile(settings: Settings) -> list[ConfigProblem]:
    """A space without its token, or a token without its space: neither is used alone."""
    workspace = settings.workspace
    if bool(workspace.profile_space) == (workspace.profile_token is not None):
        return []
    present, missing = (
        ("profile_space", "profile_token") if workspace.profile_space else ("profile_token", "profile_space")
    )
    return [
        ConfigProblem(
            "warning",
            f"[segment] has a {present} and no {missing}: the Profile API is not asked",
            f"set {missing}, or remove {present}",
        )
    ]


def check_shared_keys(environments: Mapping[str, Environment]) -> tuple[ConfigProblem, ...]:
    """Write keys, and keys of Sprig's API, that several environments have in common."""
    return (
        *(
            ConfigProblem(
                "warning",
                f"the same key in {names}: answers of one reach the other's source",
                "a key belongs to one source in Segment; give each environment a source of its own",
            )
            for names in _shared(environments, WRITE_KEY.key)
        ),
        *(
            ConfigProblem(
                "warning",
                f"the same key of Sprig's API in {names}: each of them would get the other's answers",
                "Sprig has a key for each environment; give each its own",
            )
            for names in _shared(environments, SPRIG_API_KEY.key)
        ),
    )


def check_reconciliation(settings: Settings) -> tuple[ConfigProblem, ...]:
    """Comparisons with Segment's counts that are wanted, and lack the token."""
    if not settings.reconcile_every_s or settings.workspace.token is not None:
        return ()
    return (
        ConfigProblem(
            "warning",
            "reconcile.every is set, but nothing is compared: there is no token of Segment's Public API",
            "store one with sprig-tui keys workspace",
        ),
    )


def check_environment_ids(environments: Mapping[str, Environment]) -> tuple[ConfigProblem, ...]:
    """Sprig environment ids that several environments have in common: a webhook could be for any of them."""
    return tuple(
        ConfigProblem(
            "fault",
            f"{names} have the same sprig_environment_id",
            "each id belongs to one environment; correct one of them",
        )
        for names in _shared(environments, "sprig_environment_id")
    )


def _shared(environments: Mapping[str, Environment], field: str) -> list[str]:
    """The names of environments that have the same value in a field, such as `a and b` or `a, b and c`."""
    by_value: dict[object, list[str]] = {}
    for name, environment in environments.items():
        value = getattr(environment, field)
        if value:
            by_value.setdefault(value, []).append(name)
    return [f"{', '.join(names[:-1])} and {names[-1]}" for names in by_value.values() if len(names) > 1]


def check_file_mode(settings: Settings) -> list[ConfigProblem]:
    """A config file with secrets in it that other users can read."""
    document = settings.document
    secret = (
        settings.stored_secrets
        or settings.workspace.stored
        or settings.workspace.profile_stored
        or (settings.hmac_key is not None and settings.hmac_key.read_from == "config")
    )
    if not secret or not document.is_readable_by_others:
        return []
    return [
        ConfigProblem(
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
    PROFILE_TOKEN.key: "the token of Segment's Profile API",
    HMAC_KEY.key: "the key of mapping.hmac",
}
ENVIRONMENT_SECRET_KINDS = (WRITE_KEY, WEBHOOK_TOKEN, SPRIG_API_KEY)


def describe_reuse(settings: Settings, text: str, kind: SecretKind, environment: str = "") -> tuple[str, ...]:
    """Present uses of a secret, in sentences such as `this is the write key of production`; never the secret.

    `kind` and `environment` name its new use; if that is also a present one, it is left out.
    """
    if not text:
        return ()
    sentences: list[str] = []
    for user in settings.environments.values():
        for other in ENVIRONMENT_SECRET_KINDS:
            secret: Secret | None = getattr(user, other.key)
            if (
                secret is None
                or not secret.is_read
                or secret.reveal() != text
                or (user.name, other.key) == (environment, kind.key)
            ):
                continue
            sentences.append(f"this is {SECRET_NAMES[other.key]} of {user.name}{_kind_difference(other, kind)}")
    workspace = settings.workspace
    shared: tuple[tuple[SecretKind, Secret | None], ...] = (
        (PUBLIC_API_TOKEN, workspace.token),
        (PROFILE_TOKEN, workspace.profile_token),
        (HMAC_KEY, settings.hmac_key),
    )
    for other, token in shared:
        if token is not None and token.is_read and token.reveal() == text and kind.key != other.key:
            sentences.append(f"this is {SECRET_NAMES[other.key]}{_kind_difference(other, kind)}")
    return tuple(sentences)


def _kind_difference(present: SecretKind, wanted: SecretKind) -> str:
    return "" if present.key == wanted.key else f", not {SECRET_NAMES[wanted.key].replace('the ', 'a ', 1)}"
