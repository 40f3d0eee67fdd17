"""Build hook: puts the man pages and completion scripts of build/share into the wheel, below `share`.

.ci/build makes them before the wheel. Where the folder is missing, as in a checkout, the wheel has none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShareHook(BuildHookInterface[Any]):
    """Adds the folder to the data that an installation puts beside its programs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the folder, unless the installation is of a checkout in place (`version` is then "editable")."""
        folder = Path(self.root) / "build" / "share"
        if version != "editable" and folder.is_dir():
            build_data["shared_data"][str(folder)] = "share"
