"""Credentials: secrets that the service manager hands over as files, read-only, in $CREDENTIALS_DIRECTORY.

systemd sets it for the settings LoadCredential= and LoadCredentialEncrypted= of a unit; in a container it may name the
folder of mounted secrets. A credential has the name of the variable that it stands for.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

from sprig_tui.errors import SecretReadError

FOLDER_VARIABLE = "CREDENTIALS_DIRECTORY"
MAX_CREDENTIAL_BYTES = 65_536
"""A larger file holds no secret of ours."""


def credential_label(name: str) -> str:
    """Name for people."""
    return f"credential {name}"


def read_credential(name: str, environ: Mapping[str, str]) -> str | None:
    """The text of the credential without its last line end; None where there is none, or only blanks.

    Raises SecretReadError, which names the credential and quotes nothing of it.
    """
    folder = environ.get(FOLDER_VARIABLE, "")
    # what a config names as a variable need not be the name of a file in that folder
    if not folder or not name or "/" in name or "\0" in name or name in (".", ".."):
        return None
    try:
        with (Path(folder) / name).open("rb") as file:
            data = file.read(MAX_CREDENTIAL_BYTES + 1)
        text = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SecretReadError(f"{credential_label(name)} has bytes that are no text") from None
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return None
        raise SecretReadError(f"{credential_label(name)} cannot be read: {error.strerror}") from None
    if len(data) > MAX_CREDENTIAL_BYTES:
        raise SecretReadError(f"{credential_label(name)} has more than {MAX_CREDENTIAL_BYTES:,} bytes")
    return text if text.strip() else None
