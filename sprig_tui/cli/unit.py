"""A systemd unit for a command line of ours that does not end by itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

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
User={user}
StateDirectory={folder}
StateDirectoryMode=0700
UMask=0077
# SIGTERM: what was accepted is answered, and requests to Segment finish, before it ends.
# To the main process alone: it passes it on to its workers, if it has any.
KillSignal=SIGTERM
KillMode=mixed
TimeoutStopSec=90
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
USER = "sprig-tui"


class Service(NamedTuple):
    """What a unit is for."""

    name: str
    description: str
    setup: str
    """The command that it cannot do without having been given once."""


RECEIVES = Service(
    "sprig-tui", "receives Sprig's webhooks and delivers them to Segment", "keys token production --generate"
)
DELIVERS = Service("sprig-tui-run", "delivers what is queued to Segment", "keys set production")


def unit_text(service: Service, *, files: Sequence[Path] = (), writes: Path | None = None) -> str:
    """The unit that runs `sprig-tui` with the arguments of this process from /var/lib/sprig-tui.

    `files` are those among the arguments that name files: a service stands in another folder than the person who asked.
    `writes`: a folder outside its own that it has to write in.
    """
    program = _program()
    words = [_placed(word, files) for word in sys.argv[1:] if word != "--print-unit"]
    in_home = any(
        Path(folder) in file.absolute().parents for file in (program, *files) for folder in ("/home", "/root")
    )
    return _UNIT.format(
        name=service.name,
        description=service.description,
        setup=service.setup,
        home=f"/var/lib/{USER}",
        folder=USER,
        user=USER,
        program=_quoted(str(program)),
        command=" ".join(map(_quoted, [str(program), *words])),
        protect_home="read-only" if in_home else "yes",
        extra=f"ReadWritePaths={_quoted(str(writes.absolute()))}\n" if writes else "",
    )


def _placed(word: str, files: Sequence[Path]) -> str:
    option, equals, value = word.rpartition("=")
    for file in files:
        if value == str(file):
            return f"{option}{equals}{file.absolute()}"
    return word


def _program() -> Path:
    """The program as it was started, or as it stands beside the interpreter."""
    beside = Path(sys.executable).with_name("sprig-tui")
    started = Path(sys.argv[0])
    return started.absolute() if started.name == "sprig-tui" and started.is_file() else beside


def _quoted(word: str) -> str:
    """A word as systemd reads it: % and $ doubled, quotes and backslashes escaped."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{word}"' if not word or any(letter in word for letter in " \t\"'\\;") else word
