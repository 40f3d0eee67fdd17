"""Garbage collection around a short life: none while modules load, and no last look through all of them.

What modules leave lives as long as the process. Looking for garbage in it costs a fifth of a short command: a tenth
while they load, a tenth at the exit.
"""

from __future__ import annotations

import gc


def pause() -> None:
    """Collect nothing until `resume`."""
    gc.disable()


def resume() -> None:
    """Collect from now on, but not in what was made since `pause`; nothing where collecting was not paused."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def leave() -> None:
    """The process ends now, and its memory with it. What is buffered is still written, and exit handlers run."""
    gc.freeze()
