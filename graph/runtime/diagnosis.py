"""The checks of `recallql doctor`: of everything that RecallQL needs, with advice for each problem."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from graph.access.authenticator import authentication_is_on, check_exposure
from graph.enrichment.entities import Extractor
from graph.enrichment.models import load_model, version_warning
from graph.enrichment.tokens import load_counter
from graph.errors import RecallQLError, StartupError
from graph.mongod.datadir import database_dir
from graph.mongod.embedded import running_uri
from graph.recall.embedding import OFF, embedder_of
from graph.runtime.deployment import mongodb
from graph.runtime.served import all_served
from graph.settings import Settings
from graph.store.checkup import Checkup, check_up
from graph.store.database import OLDEST_MONGODB
from graph.store.documents import now

_LEAST_DISK = 2**30  # bytes
_LONGEST_WAIT = 600.0  # seconds that a pending message may wait
_NAMED = 6  # missing indexes that are named
_MOST_SKEW = 5.0  # seconds; a lease is compared with the clocks of several machines


class Grade(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check, with advice.

    Attributes:
        thing: the part that was checked.
        grade: the result.
        text: describes the state.
        advice: the repair, where one is needed.
    """

    thing: str
    grade: Grade
    text: str
    advice: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Check everything, and change and start nothing: of an own mongod that does not run, the disk alone is checked."""
    return [
        _authentication(settings),
        *_mongodb(settings),
        *_models(settings),
        *_tokens(settings),
        *_summaries(settings),
        _embeddings(settings),
    ]


def _mongodb(settings: Settings) -> Iterator[Finding]:
    if settings.mongodb_uri is None:
        if not database_dir(settings.data_dir.expanduser()).exists():
            text = f"no data in {settings.data_dir} yet: the first start of a server makes it"
            yield Finding("MongoDB", Grade.OK, text)
            return
        if running_uri(settings.data_dir) is None:
            yield Finding("MongoDB", Grade.WARNING, f"no server runs the one of {settings.data_dir}", _how_to_run())
            yield from _disk(settings)
            return
    try:
        with mongodb(settings, attach=True) as uri:
            found = asyncio.run(_checked(uri, settings))
            yield from _graded(found, settings)
            if not found.error:
                yield from _backlog(found, settings)
                yield _oplog(found)
                yield _memory(found)
    except StartupError as error:
        yield Finding("MongoDB", Grade.BROKEN, str(error))


def _how_to_run() -> str:
    advice = "Start `recallql serve`, and check again: a look at its collections needs it."
    for served in all_served():
        advice += f" Process {served.pid} serves {served.store}: name it with --data-dir or --mongodb-uri."
    return advice


async def _checked(uri: str, settings: Settings) -> Checkup:
    model = None
    with suppress(StartupError):  # which has a finding of its own
        if (embedder := embedder_of(settings)) is not None:
            async with aclosing(embedder):
                model = await embedder.name()
    return await check_up(
        uri,
        settings.database,
        timeout=settings.mongodb_timeout,
        model=model,
        driver_name=settings.mongodb_driver,
        retention=settings.retention,
    )


def _graded(found: Checkup, settings: Settings) -> Iterator[Finding]:
    if found.error:
        yield Finding("MongoDB", Grade.BROKEN, found.error, "Check RECALLQL_MONGODB_URI, and that MongoDB runs there.")
        return
    oldest = ".".join(map(str, OLDEST_MONGODB))
    if tuple(map(int, found.version.split(".")[:2])) < OLDEST_MONGODB:
        yield Finding("MongoDB", Grade.BROKEN, f"version {found.version}", f"Use MongoDB {oldest} or newer.")
    else:
        yield Finding("MongoDB", Grade.OK, f"version {found.version}")
    if not found.replicated:
        advice = (
            "Start mongod with --replSet rs0, run rs.initiate() once in mongosh, and add ?replicaSet=rs0 to the URI."
        )
        yield Finding("Replica set", Grade.BROKEN, "a standalone server: no transactions, no change streams", advice)
    elif not found.writable:
        advice = "Look at rs.status() in mongosh: a majority of the members has to be up."
        yield Finding("Replica set", Grade.BROKEN, "it has no primary", advice)
    else:
        yield Finding("Replica set", Grade.OK, "there, with a primary")
    if abs(found.clock) > _MOST_SKEW:
        text = f"MongoDB's is {found.clock:+.0f} seconds off this machine's"
        yield Finding("Clocks", Grade.WARNING, text, "Let NTP set both: leases of workers go by the time of day.")
    yield _indexes(found)
    yield from _disk(settings, found.disk)


def _indexes(found: Checkup) -> Finding:
    advice = "Start `recallql serve` or `recallql worker` once: they create missing indexes."
    if found.empty:
        return Finding("Indexes", Grade.OK, "the database is not there yet; the first start makes it")
    if not found.missing:
        return Finding("Indexes", Grade.OK, "all there")
    missing = [f"{collection}: {name}" for collection, names in found.missing.items() for name in names]
    more = len(missing) - _NAMED
    text = f"missing of {'; '.join(missing[:_NAMED])}{f'; and {more} more' if more > 0 else ''}"
    return Finding("Indexes", Grade.BROKEN, text, advice)


def _disk(settings: Settings, of_mongodb: tuple[int, int] | None = None) -> Iterator[Finding]:
    free = []
    if of_mongodb is not None:
        total, used = of_mongodb
        free.append(("MongoDB's disk", total - used))
    if settings.mongodb_uri is None and settings.data_dir.exists():
        free.append((f"the disk of {settings.data_dir}", shutil.disk_usage(settings.data_dir).free))
    for name, left in free:
        text = f"{left / 2**30:.1f} GiB are free on {name}"
        if left < _LEAST_DISK:
            yield Finding("Disk", Grade.BROKEN, text, "Free some space: MongoDB stops when the disk is full.")
        else:
            yield Finding("Disk", Grade.OK, text)


def _backlog(found: Checkup, settings: Settings) -> Iterator[Finding]:
    """The work that waits for workers."""
    state = found.enrichment
    if state is None:
        return
    text = f"{state['done']:,} messages done, {state['pending']:,} pending, {state['failed']:,} failed"
    oldest = state["oldestPendingAt"]
    waits = 0.0 if oldest is None else (now() - oldest).total_seconds()
    if state["failed"]:
        advice = "Message.enrichment has their reasons; `recallql enrich --failed` begins them again."
        yield Finding("Enrichment", Grade.WARNING, text, advice)
    elif waits > max(_LONGEST_WAIT, 2 * settings.enrichment_lease):
        advice = "Look whether a worker runs, and read its log; `recallql enrich` enriches pending messages."
        yield Finding("Enrichment", Grade.WARNING, f"{text}, the oldest for {waits / 60:,.0f} minutes", advice)
    else:
        yield Finding("Enrichment", Grade.OK, text)
    if state["unembedded"]:
        text = f"{state['unembedded']:,} messages wait for their vectors: searches compare their words alone meanwhile"
        yield Finding("Recall", Grade.OK, text)
    if found.erasures:
        text = f"{found.erasures:,} pending: their contents are invisible, and not all erased yet"
        yield Finding("Erasures", Grade.WARNING, text, "A server or worker erases them while it runs.")
    else:
        yield Finding("Erasures", Grade.OK, "nothing is pending")


def _oplog(found: Checkup) -> Finding:
    if found.oplog_hours is None:
        return Finding("Oplog", Grade.OK, "its window is unknown: this MongoDB user may not read it")
    text = f"it holds the changes of {found.oplog_hours:,.1f} hours"
    return Finding("Oplog", Grade.OK, text)


def _memory(found: Checkup) -> Finding:
    free = f"{psutil.virtual_memory().available / 2**30:.1f} GiB of memory are free on this machine"
    if found.memory is None:
        return Finding("Memory", Grade.OK, f"{free}; this MongoDB user may not read the memory use of mongod")
    return Finding("Memory", Grade.OK, f"{free}; mongod takes {found.memory / 2**30:.2f} GiB")


def _authentication(settings: Settings) -> Finding:
    try:
        check_exposure(settings)
    except StartupError as error:
        return Finding("Authentication", Grade.BROKEN, str(error))
    if authentication_is_on(settings):
        return Finding("Authentication", Grade.OK, "callers must authenticate")
    if settings.auth == "off-anywhere":
        advice = "Anything that reaches the port may read and delete all: set RECALLQL_AUTH=required."
        return Finding("Authentication", Grade.WARNING, "off, also for other machines", advice)
    return Finding("Authentication", Grade.OK, "off: only this machine is served")


def _tried(thing: str, text: str, attempt: Callable[[], object]) -> Finding:
    try:
        attempt()
    except RecallQLError as error:
        return Finding(thing, Grade.BROKEN, str(error))
    return Finding(thing, Grade.OK, text)


def _models(settings: Settings) -> Iterator[Finding]:
    name, languages = settings.spacy_model, settings.spacy_languages
    models = [name, *languages.values()]
    if languages:
        names = ", ".join(Path(model).name for model in models)
        found = _tried("spaCy models", f"{names} find entities", lambda: Extractor(name, languages))
    else:
        found = _tried("spaCy model", f"{Path(name).name} finds entities", lambda: load_model(name))
    yield found
    if found.grade is Grade.OK:
        for model in models:
            if (warning := version_warning(model)) is not None:
                advice = "It may find other entities than it was trained to: install a model of spaCy's own version."
                yield Finding("spaCy model", Grade.WARNING, warning, advice)


def _tokens(settings: Settings) -> Iterator[Finding]:
    name = settings.token_encoding
    yield _tried("Token table", f"{name} is installed", lambda: load_counter(name).count("one"))


def _summaries(settings: Settings) -> Iterator[Finding]:
    if (settings.llm_base_url is None) != (settings.llm_model is None):
        text = "only one of RECALLQL_LLM_BASE_URL and RECALLQL_LLM_MODEL is set"
        yield Finding("Summaries", Grade.BROKEN, text, "Set both, or neither.")
    elif settings.llm_base_url is not None:
        yield Finding("Summaries", Grade.OK, f"written by {settings.llm_model} at {settings.llm_base_url}")
    else:
        yield Finding("Summaries", Grade.OK, "made of the conversation's own sentences: no model is set")


def _embeddings(settings: Settings) -> Finding:
    model = settings.embedding_model
    if model == OFF:
        return Finding("Embeddings", Grade.OK, "off: searches compare words alone")
    shown = "the packaged sentence model" if model is None else model
    return _tried("Embeddings", f"{shown} embeds", lambda: asyncio.run(_embed_once(settings)))


async def _embed_once(settings: Settings) -> None:
    embedder = embedder_of(settings)
    if embedder is None:
        return
    async with aclosing(embedder):
        try:
            await embedder.meaning("one")
        except ValueError as error:
            raise StartupError(f"the embedding server refuses a text of one word: {error}") from None
