"""Systemd units for `run` and `listen`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sprig_tui.errors import ConfigError

_UNIT = """\
# /etc/systemd/system/{name}.service
# First: useradd --system --home-dir {home} {user} && install -d -m 700 -o {user} -g {user} {home}
# Then:  systemctl daemon-reload && systemctl enable --now {name}; journalctl -u {name} -f
[Unit]
Description=sprig-tui: {description}
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
# Config, journal and log stand in {home}. Set tokens and keys there:
#   sudo -u {user} SPRIG_TUI_HOME={home} {program} {setup}
Environment=SPRIG_TUI_HOME={home}
# Or keep them out of it, as SPRIG_TUI_WEBHOOK_TOKEN_PRODUCTION=... and SPRIG_TUI_WRITE_KEY_PRODUCTION=...
EnvironmentFile=-/etc/sprig-tui.env
ExecStart={command}
# Config and certificate are read again; it notices changes of both by itself, too.
ExecReload=/bin/kill -HUP $MAINPID
User={user}
StateDirectory={folder}
StateDirectoryMode=0700
UMask=0077
# SIGTERM: what was accepted is answered, and requests to Segment finish, before it ends.
# To the main process alone: it passes it on to its workers, if it has any.
KillSignal=SIGTERM
KillMode=mixed
TimeoutStopSec=20
Restart=always
RestartSec=2
# A config that cannot be used does not mend itself.
RestartPreventExitStatus=2
LimitNOFILE=4096
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectControlGroups=yes
ProtectHome={protect_home}
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictSUIDSGID=yes
{extra}
[Install]
WantedBy=multi-user.target
"""
SERVICE_USER = "sprig-tui"


class Service(NamedTuple):
    """One command as a systemd service."""

    name: str
    description: str
    setup: str
    """The setup command that must be run once before."""


LISTEN_SERVICE = Service(
    "sprig-tui", "receives Sprig's webhooks and delivers them to Segment", "keys token production --generate"
)
RUN_SERVICE = Service("sprig-tui-run", "delivers what is queued to Segment", "keys set production")


def unit_text(service: Service, *, files: Sequence[Path] = (), writes: Path | None = None) -> str:
    """The unit that runs `sprig-tui` with the arguments of this process from /var/lib/sprig-tui.

    `files` are those among the arguments that name files: a service stands in another folder than the person who asked.
    `writes`: a folder outside its own that it has to write in.
    """
    program = _program_path()
    words = [_absolute_file_word(word, files) for word in sys.argv[1:] if word != "--print-unit"]
    in_home = any(
        Path(folder) in file.absolute().parents for file in (program, *files) for folder in ("/home", "/root")
    )
    return _UNIT.format(
        name=service.name,
        description=service.description,
        setup=service.setup,
        home=f"/var/lib/{SERVICE_USER}",
        folder=SERVICE_USER,
        user=SERVICE_USER,
        program=_quote_word(str(program)),
        command=" ".join(map(_quote_word, [str(program), *words])),
        protect_home="read-only" if in_home else "yes",
        extra=f"ReadWritePaths={_setting_path(writes.absolute())}\n" if writes else "",
    )


def _absolute_file_word(word: str, files: Sequence[Path]) -> str:
    for file in files:
        if word == str(file) or word.endswith(f"={file}"):
            return f"{word.removesuffix(str(file))}{file.absolute()}"
    return word


def _program_path() -> Path:
    """Path of the program as it was started, or beside the interpreter."""
    beside = Path(sys.executable).with_name("sprig-tui")
    started = Path(sys.argv[0])
    return started.absolute() if started.name == "sprig-tui" and started.is_file() else beside


def _quote_word(word: str) -> str:
    """A word of a command line as systemd reads it: % and $ doubled, all that is not plain escaped as in C."""
    escaped = "".join(_ESCAPES.get(letter) or _escape_letter(letter) for letter in word)
    return escaped if _PLAIN_WORD.fullmatch(word) else f'"{escaped}"'


_PLAIN_WORD = re.compile(r"[A-Za-z0-9_%$@+=:,./-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "%": "%%", "$": "$$", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _escape_letter(letter: str) -> str:
    """The letter, or its bytes where it controls something or is none."""
    if letter.isprintable():
        return letter
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))


def _setting_path(place: Path) -> str:
    """A path as a setting other than a command line takes it: there systemd knows neither $ nor C's escapes."""
    text = str(place)
    if not text.isprintable():
        raise ConfigError(
            f"{text} cannot stand in a unit: there are control characters in it", hint="give the folder another name"
        )
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return escaped if _PLAIN_WORD.fullmatch(text) else f'"{escaped}"'
