"""Where the sample payloads are: in the package when it was built, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

import sprig_tui
from sprig_tui.errors import InputError


def samples_folder() -> Path:
    """The folder of sample payloads; raises InputError when this installation has none."""
    package = Path(sprig_tui.__file__).parent
    for folder in (package / "sample_payloads", package.parent / "sample_payloads"):
        if folder.is_dir():
            return folder
    raise InputError("this installation holds no sample payloads", hint="install sprig-tui again")
