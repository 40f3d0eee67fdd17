"""Systemd units for `run`, `listen` and `serve`."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sprig_tui.config.journal_location import JOURNAL_URL_VARIABLE
from sprig_tui.config.secrets import SERVE_TOKEN, WEBHOOK_TOKEN, WRITE_KEY
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
# The config, the journal and the log are in {home}. Set tokens and keys there:
#   sudo -u {user} SPRIG_TUI_HOME={home} {program} {setup}
Environment=SPRIG_TUI_HOME={home}
# Or keep secrets out of it, as files in /etc/credstore that only root reads; a missing one is left out (systemd 251):
#   install -d -m 700 /etc/credstore && install -m 600 /dev/stdin /etc/credstore/SPRIG_TUI_WRITE_KEY_PRODUCTION
# A file has the name of the variable that it stands for. Add a line for each environment.
{credentials}
# Settings that are no secrets, such as HTTPS_PROXY=...
EnvironmentFile=-/etc/sprig-tui.env
ExecStart={command}
# Reads the config and the certificate again; the service also notices changes of both by itself.
ExecReload=/bin/kill -HUP $MAINPID
User={user}
StateDirectory={folder}
StateDirectoryMode=0700
UMask=0077
# SIGTERM: the service answers what it accepted and finishes its requests to Segment before it ends.
# systemd sends it to the main process alone, which passes it on to its workers.
KillSignal=SIGTERM
KillMode=mixed
TimeoutStopSec=20
Restart=always
RestartSec=2
# A config that cannot be used needs a person.
RestartPreventExitStatus=2
LimitNOFILE=4096
# systemd-analyze security {name} rates what follows.
{capabilities}
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome={protect_home}
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
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
    credentials: tuple[str, ...]
    """Secrets that it can get from the service manager; see `config.credentials`."""


LISTEN_SERVICE = Service(
    "sprig-tui",
    "receives Sprig's webhooks and delivers them to Segment",
    "keys token production --generate",
    (WRITE_KEY.variable_name("production"), WEBHOOK_TOKEN.variable_name("production"), JOURNAL_URL_VARIABLE),
)
RUN_SERVICE = Service(
    "sprig-tui-run",
    "delivers what is queued to Segment",
    "keys set production",
    (WRITE_KEY.variable_name("production"), JOURNAL_URL_VARIABLE),
)
SERVE_SERVICE = Service(
    "sprig-tui-serve",
    "shows the console in a browser",
    "keys set production",
    (SERVE_TOKEN.variable_name(""), WRITE_KEY.variable_name("production"), JOURNAL_URL_VARIABLE),
)
FIRST_FREE_PORT = 1024
"""Ports below it need a capability on Linux."""
_NO_CAPABILITIES = "CapabilityBoundingSet=\nPrivateUsers=yes"
_LOW_PORT_CAPABILITIES = "AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE"


def unit_text(
    service: Service, *, files: Sequence[Path] = (), writes: Path | None = None, port: int | None = None
) -> str:
    """The unit that runs `sprig-tui` with the arguments of this process from /var/lib/sprig-tui.

    `files` are those among the arguments that name files: a service stands in another folder than the person who asked.
    `writes`: a folder outside its own that it has to write in. `port`: where it listens; those below 1024 need a
    capability, which a service with users of its own cannot have.
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
        credentials="\n".join(f"LoadCredential={name}" for name in service.credentials),
        capabilities=_NO_CAPABILITIES if port is None or not 0 < port < FIRST_FREE_PORT else _LOW_PORT_CAPABILITIES,
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
