"""Command `paths`: locations of config, journal and log."""

from __future__ import annotations

from sprig_tui.cli import output
from sprig_tui.cli.options import command, json_option
from sprig_tui.errors import ExitCode
from sprig_tui.text import printable


@command("paths")
@json_option
def paths(as_json: bool) -> int:
    """Where config, journal, state and log live.

    SPRIG_TUI_HOME moves them all into one folder.
    """
    from sprig_tui.config.paths import find_paths

    places = find_paths().as_dict()
    if as_json:
        output.write_json(places)
    else:
        output.write_lines(f"{name:<9}{printable(place)}" for name, place in places.items())
    return ExitCode.OK
