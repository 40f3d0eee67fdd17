"""Creation of a source in Segment: what will be made, making it, and continuing where a part failed.

    new = await ask_proposal(api, "production")
    for part in planned_parts(new): ...          # what a person confirms
    made = await create_source(api, new)         # SourceCreationError, or the source, perhaps with problems
    if made.problems: made = await continue_creation(api, new, made)

Segment makes a source in up to three requests: POST /sources gives it a slug and a Write Key, PATCH a name, POST
/sources/{id}/labels a label. There is no idempotency key, so a POST without an answer is never repeated: the slug is
looked for instead. A slug is unique in a workspace, so a repeat by the caller makes no second source.

Warehouses: Segment seems to connect the workspace's warehouses to each new source unless `disconnectAllWarehouses`
says otherwise. Survey answers are personal data, and rows that were synced stay in a warehouse; so a source is made
without them unless `connects_warehouses` is set. A person can connect them in Segment at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.errors import SegmentApiError, SegmentApiUnreachableError, SegmentWriteUnknownError
from sprig_tui.segment.api_transport import RejectedRequestError
from sprig_tui.segment.public_api import PublicApiClient
from sprig_tui.segment.public_api_models import Source
from sprig_tui.segment.source_checks import stage_of
from sprig_tui.segment.source_writes import HTTP_API_SLUG, SourceKind, SourceLabel
from sprig_tui.text import one_line


class NewSource(Struct, frozen=True, kw_only=True):
    """Exactly what will be made."""

    environment: str
    name: str
    slug: str
    kind_id: str
    kind_name: str = "HTTP API"
    label: SourceLabel | None = None
    """One that the workspace has."""
    label_problem: str = ""
    """Why it is not known which labels the workspace has."""
    connects_warehouses: bool = False


class PartKind(StrEnum):
    """What a new source consists of."""

    KIND = "kind"
    SLUG = "slug"
    NAME = "name"
    LABEL = "label"
    STATE = "state"
    WRITE_KEY = "write-key"
    WAREHOUSES = "warehouses"
    DESTINATIONS = "destinations"


class PlannedPart(Struct, frozen=True):
    """One thing that a person confirms; `text` stands behind the part's title."""

    kind: PartKind
    title: str
    text: str


class Done(StrEnum):
    """What was done, in order."""

    CREATED = "created"
    FOUND = "found"
    """Made by a request that got no answer, and found by its slug."""
    NAMED = "named"
    LABELLED = "labelled"


class CreationFault(StrEnum):
    """Why a source was not made, or what is missing of it."""

    NO_KIND = "no-kind"
    SLUG_TAKEN = "slug-taken"
    PERMISSION = "permission"
    PLAN = "plan"
    UNREACHABLE = "unreachable"
    """Nothing was made."""
    UNKNOWN = "unknown"
    """Whether the source was made is not known."""
    REJECTED = "rejected"
    NOT_NAMED = "not-named"
    NOT_LABELLED = "not-labelled"
    NO_KEY = "no-key"


class CreationProblem(Struct, frozen=True):
    """A part that is missing of a source which exists."""

    fault: CreationFault
    detail: str
    """The reason, as the API gave it."""
    hint: str = ""


class CreatedSource(Struct, frozen=True, kw_only=True):
    """A source that exists, and what is missing of it."""

    source: Source
    write_key: str = ""
    """Empty where the answer shows none."""
    done: tuple[Done, ...] = ()
    problems: tuple[CreationProblem, ...] = ()

    def __repr__(self) -> str:
        # the key must not reach a log
        return f"CreatedSource({self.source!r}, {self.done!r}, {self.problems!r})"


class SourceCreationError(SegmentApiError):
    """Nothing was made, or that is not known: `fault` says which. `source` has the wanted slug already."""

    def __init__(
        self,
        fault: CreationFault,
        message: str,
        *,
        hint: str = "",
        source: Source | None = None,
        cause: SegmentApiError | None = None,
    ) -> None:
        super().__init__(
            message, hint=hint, status=cause.status if cause else 0, request=cause.request if cause else ""
        )
        if cause is not None:
            self.exit_code = cause.exit_code
        self.fault = fault
        self.source = source


OnDone = Callable[[Done, Source], None]


def _ignore(_: Done, __: Source) -> None:
    pass


async def ask_proposal(api: PublicApiClient, environment: str) -> NewSource:
    """Read the catalog, the sources and the labels, and propose a source; raises SegmentApiError.

    Labels that the token may not read are left out: `label_problem` says so.
    """
    sources, kinds = await api.sources(), await api.source_kinds()
    try:
        labels, problem = await api.workspace_labels(), ""
    except SegmentApiError as error:
        labels, problem = (), error.message
    return replace(propose(environment, sources, labels, kinds), label_problem=problem)


def propose(
    environment: str, sources: Sequence[Source], labels: Sequence[SourceLabel], catalog: Sequence[SourceKind]
) -> NewSource:
    """Such as "Sprig (Production)" with the slug `sprig-production`, both numbered where they are taken.

    Raises SourceCreationError where the catalog lacks HTTP API sources.
    """
    kind = next((kind for kind in catalog if kind.slug == HTTP_API_SLUG), None)
    if kind is None:
        raise SourceCreationError(
            CreationFault.NO_KIND,
            f"Segment's catalog has no kind of source with the slug {HTTP_API_SLUG}",
            hint="make an HTTP API source in Segment, and choose it here",
        )
    slugs = {source.slug.casefold() for source in sources}
    names = {source.name.casefold() for source in sources}
    spoken = environment.replace("-", " ").capitalize()
    number = 1
    while True:
        suffix = f" {number}" if number > 1 else ""
        name, slug = f"Sprig ({spoken}{suffix})", f"sprig-{environment}{suffix.replace(' ', '-')}"
        if slug.casefold() not in slugs and name.casefold() not in names:
            break
        number += 1
    return NewSource(
        environment=environment,
        name=name,
        slug=slug,
        kind_id=kind.id,
        kind_name=kind.name,
        label=_fitting_label(environment, labels),
    )


def _fitting_label(environment: str, labels: Sequence[SourceLabel]) -> SourceLabel | None:
    """The label whose value means the stage of the environment; one with the key `environment` first."""
    stages = {stage for word in environment.split("-") if (stage := stage_of(word))}
    fitting = [label for label in labels if stage_of(label.value) in stages]
    return min(fitting, key=lambda label: label.key.casefold() != "environment", default=None)


def planned_parts(new: NewSource) -> tuple[PlannedPart, ...]:
    """What will be made, part by part, for the confirmation; nothing else is changed in the workspace."""
    if new.label is not None:
        label = new.label.text
    elif new.label_problem:
        label = f"none: the workspace's labels could not be read ({new.label_problem})"
    else:
        label = f"none: the workspace has no label that fits {new.environment}"
    warehouses = (
        "connected as the workspace's defaults say"
        if new.connects_warehouses
        else "none connected, so that no answer is copied there unasked; connect them in Segment if they are wanted"
    )
    parts = (
        PlannedPart(PartKind.KIND, "kind", f"{new.kind_name} source, for {new.environment}"),
        PlannedPart(PartKind.NAME, "name", new.name),
        PlannedPart(PartKind.SLUG, "slug", new.slug),
        PlannedPart(PartKind.LABEL, "label", label),
        PlannedPart(PartKind.STATE, "state", "enabled"),
        PlannedPart(PartKind.WRITE_KEY, "Write Key", "one, made by Segment"),
        PlannedPart(PartKind.WAREHOUSES, "warehouses", warehouses),
        PlannedPart(PartKind.DESTINATIONS, "destinations", "none; they are connected in Segment"),
    )
    return tuple(PlannedPart(part.kind, part.title, one_line(part.text)) for part in parts)


async def create_source(api: PublicApiClient, new: NewSource, *, on_done: OnDone = _ignore) -> CreatedSource:
    """Make the source; raises SourceCreationError where it was not made, or where that is not known.

    Any other SegmentApiError comes from the look before: nothing was made. The slug is looked for first, and again
    after a request without an answer. `on_done` hears of each thing that was done, so that an interruption can be told.
    """
    existing = await _look(api, new.slug)
    if existing is not None:
        raise _slug_taken(new, existing, None)
    done = Done.CREATED
    try:
        source = await api.create_source(new.slug, new.kind_id, connects_warehouses=new.connects_warehouses)
    except SegmentWriteUnknownError as error:
        source, done = await _find_after_silence(api, new, error), Done.FOUND
    except SegmentApiUnreachableError as error:
        raise SourceCreationError(
            CreationFault.UNREACHABLE, f"no source was made: {error.message}", hint=error.hint, cause=error
        ) from error
    except SegmentApiError as error:
        raise await _rejection(api, new, error) from error
    on_done(done, source)
    return await continue_creation(api, new, CreatedSource(source=source, done=(done,)), on_done=on_done)


async def continue_creation(
    api: PublicApiClient, new: NewSource, created: CreatedSource, *, on_done: OnDone = _ignore
) -> CreatedSource:
    """Name and label a source that exists, as far as it lacks that. What fails is a problem, never an error."""
    source, done, problems = created.source, list(created.done), []
    if source.name != new.name:
        try:
            renamed = await api.rename_source(source.id, new.name)
        except SegmentApiError as error:
            problems.append(CreationProblem(CreationFault.NOT_NAMED, error.message, error.hint))
        else:
            # an answer to a token with other rights may show less
            source = replace(renamed, write_keys=renamed.write_keys or source.write_keys)
            done.append(Done.NAMED)
            on_done(Done.NAMED, source)
    if new.label is not None and new.label.text not in source.labels:
        try:
            labels = await api.label_source(source.id, [new.label])
        except SegmentApiError as error:
            problems.append(CreationProblem(CreationFault.NOT_LABELLED, error.message, error.hint))
        else:
            source = replace(source, labels=tuple(label.text for label in labels))
            done.append(Done.LABELLED)
            on_done(Done.LABELLED, source)
    key = source.write_keys[0] if source.write_keys else ""
    if not key:
        problems.append(
            CreationProblem(
                CreationFault.NO_KEY,
                "Segment's answer shows no Write Key of the source",
                "copy it in Segment: Connections, Sources, the source, Settings, API Keys",
            )
        )
    return CreatedSource(source=source, write_key=key, done=tuple(done), problems=tuple(problems))


async def _look(api: PublicApiClient, slug: str) -> Source | None:
    return next((one for one in await api.sources() if one.slug.casefold() == slug.casefold()), None)


async def _find_after_silence(api: PublicApiClient, new: NewSource, error: SegmentWriteUnknownError) -> Source:
    try:
        source = await _look(api, new.slug)
    except SegmentApiError as second:
        raise SourceCreationError(
            CreationFault.UNKNOWN,
            f"whether the source was made is not known: {error.message}; and looking for it failed: {second.message}",
            hint=f"look for a source with the slug {new.slug} in Segment; another try looks for it first",
            cause=second,
        ) from second
    if source is None:
        raise SourceCreationError(
            CreationFault.UNKNOWN,
            f"Segment gave no usable answer, and does not list a source with the slug {new.slug}: {error.message}",
            hint="try again in a minute: it is looked for first, and Segment takes a slug only once",
            cause=error,
        ) from error
    return source


async def _rejection(api: PublicApiClient, new: NewSource, error: SegmentApiError) -> SourceCreationError:
    """The error of a POST that was rejected, told apart by its status, its fields and what the workspace has."""
    match error.status:
        case 401 | 403:
            return SourceCreationError(
                CreationFault.PERMISSION,
                f"no source was made: {error.message}",
                hint="creating one wants a token with the role of Workspace Owner, or of Source Admin for all sources; "
                "or make the source in Segment, and choose it here",
                cause=error,
            )
        case 402:
            return SourceCreationError(
                CreationFault.PLAN,
                f"no source was made: {error.message}",
                hint="the workspace's plan may not allow another source: choose one that exists",
                cause=error,
            )
        case 409 | 422:
            try:
                existing = await _look(api, new.slug)
            except SegmentApiError:
                existing = None
            names_slug = isinstance(error, RejectedRequestError) and "slug" in error.fields
            if existing is not None or names_slug or error.status == 409:
                return _slug_taken(new, existing, error)
    return SourceCreationError(
        CreationFault.REJECTED, f"no source was made: {error.message}", hint=error.hint, cause=error
    )


def _slug_taken(new: NewSource, existing: Source | None, cause: SegmentApiError | None) -> SourceCreationError:
    if existing is not None:
        return SourceCreationError(
            CreationFault.SLUG_TAKEN,
            f"no source was made: the source {one_line(existing.name)} has the slug {new.slug} already",
            hint="choose that source, or another slug",
            source=existing,
            cause=cause,
        )
    told = f": {cause.message}" if cause else ""
    return SourceCreationError(
        CreationFault.SLUG_TAKEN,
        f"no source was made: Segment does not take the slug {new.slug}, which no source that the token sees has{told}",
        hint="choose another slug; a source that was deleted may still hold this one",
        cause=cause,
    )


def with_slug(new: NewSource, slug: str) -> NewSource:
    """The same with another slug."""
    return replace(new, slug=slug.strip())
