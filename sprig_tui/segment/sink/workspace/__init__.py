"""Workspace of the fake Segment: what its tracking endpoint took becomes the counts of its Public API."""

from sprig_tui.segment.sink.workspace.api import PublicApi
from sprig_tui.segment.sink.workspace.fault_rules import FaultKind, WorkspaceFault, parse_fault
from sprig_tui.segment.sink.workspace.model import Role, Workspace
from sprig_tui.segment.sink.workspace.pipeline import DEFAULT_DELAY_S
from sprig_tui.segment.sink.workspace.service import WorkspaceService
from sprig_tui.segment.sink.workspace.workspace_file import DescribedWorkspace, read_workspace

__all__ = [
    "DEFAULT_DELAY_S",
    "DescribedWorkspace",
    "FaultKind",
    "PublicApi",
    "Role",
    "Workspace",
    "WorkspaceFault",
    "WorkspaceService",
    "parse_fault",
    "read_workspace",
]
