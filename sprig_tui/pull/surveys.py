"""Learning an environment's surveys: their names and creation times, which its answers do not carry."""

from __future__ import annotations

from typing import NamedTuple

from sprig_tui.mapping.records import Survey
from sprig_tui.pull.fetching import PageFetcher
from sprig_tui.sprig.api import SURVEYS_PATH
from sprig_tui.sprig.api_pages import parse_survey_page

SURVEY_PAGE_SIZE = 1_000
"""Surveys of a page. The specification names a limit, but not the largest one; that of responses is taken."""


class SurveyList(NamedTuple):
    """What the list of surveys told."""

    surveys: dict[str, Survey]
    """By id as text."""
    warnings: tuple[str, ...] = ()


async def fetch_surveys(fetcher: PageFetcher) -> SurveyList:
    """Read `GET /v1/surveys` to its end; what is off in it is told, and stops nothing. Raises SourceError."""
    found: dict[str, Survey] = {}
    limit, odd, cursor = SURVEY_PAGE_SIZE, 0, ""
    seen = {""}
    while True:
        parameters = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        answer, page = await fetcher.get(SURVEYS_PATH, parameters, parse_survey_page)
        if page is None:
            if answer.kind == "too-large" and limit > 1:
                limit //= 2
                continue
            said = "answers 404, taken as none" if answer.kind == "none" else f"is too large: {answer.error}"
            return SurveyList(found, (f"the list of surveys {said}: their names may be missing",))
        found.update({str(one.id): Survey(name=one.name, created_at=one.created_at) for one in page.surveys})
        odd += page.unreadable
        cursor = page.cursor
        if page.fault or cursor in seen:
            break
        seen.add(cursor)
    warnings = []
    if fault := page.fault or ("it repeats itself" if cursor else ""):
        warnings.append(f"the list of surveys is not what Sprig documents ({fault}): names may be missing")
    if odd:
        warnings.append(f"{odd:,} entries of the list of surveys cannot be understood, and are left out")
    return SurveyList(found, tuple(warnings))
