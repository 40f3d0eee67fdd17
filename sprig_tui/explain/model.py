"""Records of an explanation: lines, each with an answer, its evidence, where that is from, and when. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from sprig_tui.journal.records import Delivery


class Answer(StrEnum):
    """Answer to the question of one line."""

    YES = "yes"
    """Nothing stands in the way here."""
    NO = "no"
    """This stops the answer, or is why it is somewhere else."""
    UNKNOWN = "cannot be known"


class Check(StrEnum):
    """What a line asks, in the order from the record to each destination."""

    TAKEN = "taken"
    INTEGRATIONS = "integrations"
    KEY = "key"
    SOURCE_FITS = "source-fits"
    SOURCE_ENABLED = "source-enabled"
    USER = "user"
    PLAN = "plan"
    SOURCE_COUNTS = "source-counts"
    DESTINATIONS = "destinations"
    DESTINATION_ENABLED = "destination-enabled"
    DESTINATION_INTEGRATIONS = "destination-integrations"
    FILTERS = "filters"
    MAPPINGS = "mappings"
    DESTINATION_COUNTS = "destination-counts"
    PROFILE = "profile"


class Origin(StrEnum):
    """Where the evidence of a line is from."""

    JOURNAL = "journal"
    CONFIG = "config"
    PUBLIC_API = "Segment's Public API"
    PROFILE_API = "Profile API"


class Obstacle(StrEnum):
    """Why a line cannot be known; `Line.why` says it in words."""

    NONE = ""
    NO_TOKEN = "no-token"  # noqa: S105 - the name of an obstacle
    NOT_ASKED = "not-asked"
    """Only asked on request, because the payload would leave."""
    PERMISSION = "permission"
    UNREACHABLE = "unreachable"
    REJECTED = "rejected"
    """The request was answered with an error, or the answer is not understood."""
    DEPENDS = "depends"
    """A line before it has no answer, and this one needs it."""
    NOT_DELIVERED = "not-delivered"
    TOO_YOUNG = "too-young"
    TOO_OLD = "too-old"
    UNCLEAR = "unclear"
    """There is an answer, and it does not decide the question."""


class Line(Struct, frozen=True, kw_only=True):
    """One line of an explanation."""

    check: Check
    answer: Answer
    subject: str = ""
    """What it is asked of, such as the name of a source or a destination. Not sanitized for a terminal."""
    evidence: str = ""
    """What was found. Not sanitized for a terminal."""
    source: str = Origin.JOURNAL
    """An `Origin`."""
    at: int = 0
    """When the evidence was had, ms since 1970 UTC."""
    why: str = ""
    """Why it cannot be known, what a `no` means, or what to do next. Not sanitized for a terminal."""
    obstacle: Obstacle = Obstacle.NONE


class Explanation(Struct, frozen=True, kw_only=True):
    """A delivery and all its lines."""

    delivery: Delivery
    lines: tuple[Line, ...]

    @property
    def says_no(self) -> bool:
        """Whether a line found something that stops the answer."""
        return any(line.answer is Answer.NO for line in self.lines)

    @property
    def is_incomplete(self) -> bool:
        """Whether a line has no answer because nobody could be reached."""
        return any(line.obstacle is Obstacle.UNREACHABLE for line in self.lines)


_TITLES = {
    Check.TAKEN: "Segment's Tracking API took it",
    Check.INTEGRATIONS: "the call is meant for every destination",
    Check.KEY: "the key that is set now belongs to a source of the workspace",
    Check.SOURCE_FITS: "the source {subject} is the one of this environment",
    Check.SOURCE_ENABLED: "the source {subject} is enabled",
    Check.USER: "the user is neither suppressed nor deleted",
    Check.PLAN: "the tracking plan lets it pass",
    Check.SOURCE_COUNTS: "the source {subject} kept what came in that hour",
    Check.DESTINATIONS: "a destination is connected",
    Check.DESTINATION_ENABLED: "{subject} is enabled",
    Check.DESTINATION_INTEGRATIONS: "the call is meant for {subject}",
    Check.FILTERS: "the filters of {subject} let it pass",
    Check.MAPPINGS: "a mapping of {subject} matches",
    Check.DESTINATION_COUNTS: "{subject} got what came in that hour",
    Check.PROFILE: "the event is among those of the user's profile",
}


def title(line: Line) -> str:
    """The question of a line as a statement that its answer confirms or denies. Not sanitized for a terminal."""
    # without a subject no gap is left
    return _TITLES[line.check].format(subject=line.subject).replace("  ", " ")
