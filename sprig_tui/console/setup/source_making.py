"""Making a source from the console: the proposal, the confirmation of exactly what is made, and what became of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sprig_tui.console.notify import notify, notify_warning
from sprig_tui.console.screens.progress import with_progress
from sprig_tui.console.widgets.dialogs import Prompt, ask_confirmation
from sprig_tui.setup.source_creation import (
    CreatedSource,
    CreationFault,
    NewSource,
    SourceCreationError,
    planned_parts,
    with_slug,
)
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.config.settings import Settings
    from sprig_tui.console.setup.services import SetupServices

MAX_SLUG_CHARS = 100


async def make_source(app: App[Any], settings: Settings, services: SetupServices, environment: str) -> str:
    """Propose, confirm and make a source; returns its Write Key, empty where there is none. Raises SprigTuiError."""
    new = await with_progress(
        app, "Reading the workspace", "asking Segment", partial(services.propose_source, settings, environment)
    )
    while new is not None:
        if not await ask_confirmation(app, "Make this source in Segment?", plan_text(new), yes="Make it"):
            return ""
        try:
            made = await with_progress(
                app, "Making the source", new.slug, partial(services.create_source, settings, new)
            )
        except SourceCreationError as error:
            if error.fault is not CreationFault.SLUG_TAKEN:
                raise
            new = await _ask_slug(app, new, error)
            continue
        if made is None:
            notify_warning(app, f"stopped: Segment may have made {new.slug} already; making it again looks for it")
            return ""
        return await _complete(app, settings, services, new, made)
    return ""


def plan_text(new: NewSource) -> str:
    """Everything that will be made, a line each."""
    parts = planned_parts(new)
    cells = max(len(part.title) for part in parts)
    return "\n".join(f"{part.title:<{cells}}  {one_line(part.text, limit=300)}" for part in parts)


async def _ask_slug(app: App[Any], new: NewSource, error: SourceCreationError) -> NewSource | None:
    def check(text: str) -> str:
        slug = text.strip()
        if not slug or len(slug) > MAX_SLUG_CHARS or not slug.replace("-", "").replace("_", "").isalnum():
            return "letters, digits, dashes and underscores"
        return f"{slug} is taken" if slug == new.slug else ""

    text = f"{one_line(error.message, limit=400)}\n{one_line(error.hint, limit=200)}"
    slug = await app.push_screen_wait(Prompt("Another slug", text, value=new.slug, check=check))
    return with_slug(new, slug) if slug else None


async def _complete(
    app: App[Any], settings: Settings, services: SetupServices, new: NewSource, made: CreatedSource
) -> str:
    """Report the source, and try what is missing of it again as often as the user wants."""
    while made.problems:
        said = [f"- {problem.detail}{f'; {problem.hint}' if problem.hint else ''}" for problem in made.problems]
        text = "\n".join(one_line(line, limit=400) for line in said)
        question = f"The source {one_line(made.source.name, limit=60)} was made, but not all of it. Try the rest again?"
        if not await ask_confirmation(app, question, text, yes="Try the rest"):
            break
        again = await with_progress(
            app,
            "Completing the source",
            new.slug,
            partial(services.continue_creation, settings, new, made),
        )
        if again is None:
            break
        made = again
    if made.write_key:
        notify(app, f"source {one_line(made.source.name, limit=60)} made")
    return made.write_key
