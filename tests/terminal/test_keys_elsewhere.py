"""A key that a command keeps: it may ask at the terminal before the console has it, and never while it has."""

from __future__ import annotations

from .terminal import ENTER, NARROW

FIRST, SECOND = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx", "k2bbbbbbCCCCdddd2222EEEEffff2Sky"


def test_a_key_of_a_command_is_asked_for_before_the_console_opens(home, terminal, segment):
    asking = home.file(
        "asking.sh", f'#!/bin/sh\nprintf "one-time code: " >/dev/tty\nread code </dev/tty\necho "{FIRST}"\n'
    )
    silent = home.file("silent.sh", f'#!/bin/sh\n(echo "at the screen" >/dev/tty) 2>/dev/null\necho "{SECOND}"\n')
    for script in (asking, silent):
        script.chmod(0o700)
    table = f'[environments.production]\nendpoint = "{segment.url}"\nwrite_key_command'
    home.write(f'{table} = ["{asking}"]\n')
    one = terminal(size=NARROW)
    one.shows("asking the command asking.sh for the write key of production", "one-time code:")
    one.write("123456")
    one.press(ENTER)
    one.shows("Environments", "Zq8T…1Rkx", gone="one-time code")
    home.write(f'{table} = ["{silent}"]\n')
    one.shows("k2bb…2Sky")
    one.press("1")  # at 80x24 the pane has its warnings when it is in use
    home.write(f'{table} = ["/nowhere/op"]\n')
    one.shows("k2bb…2Sky", "command op is not there")
    assert "at the screen" not in one.text
    one.press("q")
    assert one.leave() == 0
    one.assert_as_it_was()
