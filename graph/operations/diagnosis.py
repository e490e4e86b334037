"""The rules of `recallql doctor` that hold for a server, too: findings, with advice for each problem."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from graph.access.authenticator import authentication_is_on, check_exposure
from graph.enrichment.models import require_language, require_model
from graph.enrichment.tokens import load_counter
from graph.errors import RecallQLError, StartupError
from graph.recall.embedding import Embedder
from graph.settings import Settings
from graph.store.checkup import Checkup
from graph.store.database import OLDEST_MONGODB
from graph.store.documents import now
from graph.store.versions import CURRENT

_GIB = 2**30
_LEAST_DISK = _GIB  # bytes: a checkpoint of MongoDB with its journal can take as much at once
_LOW_DISK = 0.1, 2 * _GIB, 10 * _GIB
"""A disk is low below this share of it, but not below the first and not above the second number of bytes."""
_MUCH_REUSABLE = 0.3, _GIB  # share of the files, and bytes: below either, `compact` is not worth its reads and writes
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
        name: the part that was checked.
        grade: the result.
        text: describes the state.
        advice: the repair, where one is needed.
    """

    name: str
    grade: Grade
    text: str
    advice: str = ""


def of_mongodb(found: Checkup, settings: Settings) -> Iterator[Finding]:
    """Yield the findings of a MongoDB.

    Args:
        found: the results of its checks.
        settings: the settings of the process.
    """
    yield from _graded(found, settings)
    if not found.error:
        yield from _backlog(found, settings)
        yield from _reusable(found)
        yield _oplog(found)
        yield _memory(found)


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
    yield _schema(found)
    if found.newer is None:
        yield _indexes(found)
    yield from disk(settings, found.disk)


def _schema(found: Checkup) -> Finding:
    if found.newer is not None:
        return Finding("Schema", Grade.BROKEN, found.newer)
    if found.empty:
        return Finding("Schema", Grade.OK, f"the first start makes version {CURRENT}")
    number = 0 if found.schema is None else found.schema["number"]
    if number >= CURRENT:
        return Finding("Schema", Grade.OK, f"version {number}")
    passed = 0 if found.schema is None else found.schema.get("passed", 0)
    text = f"version {number} of {CURRENT}; the next migration has passed {passed:,} documents"
    return Finding("Schema", Grade.WARNING, text, "A server or worker migrates the documents while it runs.")


def _indexes(found: Checkup) -> Finding:
    advice = "Start `recallql serve` or `recallql worker` once: they build missing indexes."
    if found.empty:
        return Finding("Indexes", Grade.OK, "the database is not there yet; the first start makes it")
    if not found.missing:
        return Finding("Indexes", Grade.OK, "all there")
    missing = [f"{collection}: {name}" for collection, names in found.missing.items() for name in names]
    more = len(missing) - _NAMED
    text = f"missing of {'; '.join(missing[:_NAMED])}{f'; and {more} more' if more > 0 else ''}"
    return Finding("Indexes", Grade.BROKEN, text, advice)


def disk(settings: Settings, used_by_mongodb: tuple[int, int] | None = None) -> Iterator[Finding]:
    """Yield the findings of the disks.

    Args:
        settings: name the directory of an own mongod.
        used_by_mongodb: total and used bytes of the file system of MongoDB, where it reports them.
    """
    disks = []
    if used_by_mongodb is not None:
        total, used = used_by_mongodb
        disks.append(("MongoDB's disk", total, total - used))
    if settings.mongodb_uri is None and settings.data_dir.exists():
        usage = shutil.disk_usage(settings.data_dir)
        disks.append((f"the disk of {settings.data_dir}", usage.total, usage.free))
    share, least, most = _LOW_DISK
    for name, total, left in disks:
        low = min(max(share * total, least), most)
        text = f"{left / _GIB:.1f} GiB are free on {name}"
        if left < _LEAST_DISK:
            yield Finding("Disk", Grade.BROKEN, text, "Free some space: MongoDB stops when the disk is full.")
        elif left < low:
            advice = f"Free some space, or use a larger disk: below {low / _GIB:.1f} GiB is little."
            yield Finding("Disk", Grade.WARNING, text, advice)
        else:
            yield Finding("Disk", Grade.OK, text)


def _reusable(found: Checkup) -> Iterator[Finding]:
    """The space of deleted data."""
    if found.reusable is None or not found.files:
        return
    text = (
        f"{found.reusable / _GIB:.2f} of the {found.files / _GIB:.2f} GiB of MongoDB's files hold no data, and new data"
        " takes them first"
    )
    share, least = _MUCH_REUSABLE
    much = found.reusable >= max(share * found.files, least)
    yield Finding("Space", Grade.OK, text, "`compact` gives it to the disk: see docs/operating.md." if much else "")


def _backlog(found: Checkup, settings: Settings) -> Iterator[Finding]:
    """The work that waits for workers."""
    if found.uncounted is not None:
        yield Finding("Enrichment", Grade.WARNING, found.uncounted, "`recallql doctor` counts them without a limit.")
    state = found.enrichment
    if state is None:
        return
    text = f"{state['done']:,} messages done, {state['pending']:,} pending, {state['failed']:,} failed"
    waits = 0.0 if found.due_since is None else (now() - found.due_since).total_seconds()
    if state["failed"]:
        advice = "Message.enrichment has their reasons; `recallql enrich --failed` begins them again."
        yield Finding("Enrichment", Grade.WARNING, text, advice)
    elif waits > max(_LONGEST_WAIT, 2 * settings.enrichment_lease):
        advice = "Look whether a worker runs, and read its log; `recallql enrich` enriches pending messages."
        yield Finding("Enrichment", Grade.WARNING, f"{text}, one of them for {waits / 60:,.0f} minutes", advice)
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


def authentication(settings: Settings) -> Finding:
    """Return the finding of who may call. It may look up the name of a host."""
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


def tried(name: str, text: str, attempt: Callable[[], object]) -> Finding:
    """Return the finding of an attempt.

    Args:
        name: the part that is checked.
        text: describes the state where the attempt succeeds.
        attempt: raises the error of the state otherwise.
    """
    try:
        attempt()
    except RecallQLError as error:
        return Finding(name, Grade.BROKEN, str(error))
    return Finding(name, Grade.OK, text)


def tokens(settings: Settings) -> Finding:
    """Return the finding of the table of tokens."""
    name = settings.token_encoding
    return tried("Token table", f"{name} is installed", lambda: load_counter(name).count("one"))


def summaries(settings: Settings) -> Finding:
    """Return the finding of how summaries are written."""
    if (settings.llm_base_url is None) != (settings.llm_model is None):
        text = "only one of RECALLQL_LLM_BASE_URL and RECALLQL_LLM_MODEL is set"
        return Finding("Summaries", Grade.BROKEN, text, "Set both, or neither.")
    if settings.llm_base_url is not None:
        host = urlsplit(settings.llm_base_url.strip()).netloc.rpartition("@")[2]  # without a password
        return Finding("Summaries", Grade.OK, f"written by {settings.llm_model} at {host}")
    return Finding("Summaries", Grade.OK, "made of the conversation's own sentences: no model is set")


def installed_models(settings: Settings) -> Finding:
    """Return the finding of the spaCy models, whose files are looked for: workers load them."""
    names = [settings.spacy_model, *settings.spacy_languages.values()]

    def attempt() -> None:
        require_model(settings.spacy_model)
        for code, name in settings.spacy_languages.items():
            require_language(code, name)

    return tried(name_of_models(settings), f"{short(names)} {'are' if names[1:] else 'is'} installed", attempt)


def name_of_models(settings: Settings) -> str:
    """Return the name of the finding of the spaCy models."""
    return "spaCy models" if settings.spacy_languages else "spaCy model"


def short(names: Iterable[str]) -> str:
    """Return the names of packages and folders of models, without the paths."""
    return ", ".join(Path(name).name for name in names)


async def embeddings(settings: Settings, embedder: Embedder | None, *, loads: bool) -> Finding:
    """Return the finding of the model that embeds, by one word or, of a model in files, by its files.

    Args:
        settings: name the model.
        embedder: the model; None where embeddings are off.
        loads: whether a model in files is loaded for one word.
    """
    if embedder is None:
        return Finding("Embeddings", Grade.OK, "off: searches compare words alone")
    shown = "the packaged sentence model" if settings.embedding_model is None else settings.embedding_model
    try:
        await (embedder.meaning("one") if loads else embedder.check())
    except ValueError as error:
        text = f"the embedding server refuses a text of one word: {error}"
        return Finding("Embeddings", Grade.BROKEN, text)
    except RecallQLError as error:
        return Finding("Embeddings", Grade.BROKEN, str(error))
    is_in_files = settings.embedding_base_url is None
    return Finding("Embeddings", Grade.OK, f"{shown} {'is installed' if is_in_files and not loads else 'embeds'}")
