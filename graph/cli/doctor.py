"""`recallql doctor`: checks everything that RecallQL needs, and says what to do about each problem."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from graph.enrichment.entities import Extractor
from graph.enrichment.models import load_model, version_warning
from graph.enrichment.tokens import load_counter
from graph.errors import RecallQLError, StartupError
from graph.operations.opening import opened
from graph.runtime.deployment import mongodb
from graph.settings import Settings
from graph.store.checkup import Checkup, check_up
from graph.store.database import OLDEST_MONGODB
from graph.store.jobs import progress

_LEAST_DISK = 2**30  # bytes
_MOST_SKEW = 5.0  # seconds; a lease is compared with the clocks of several machines


class Grade(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one thing.

    Attributes:
        thing: what was looked at.
        grade: how it is.
        text: what it is like.
        mend: what to do about it.
    """

    thing: str
    grade: Grade
    text: str
    mend: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; MongoDB is not changed, and an own mongod runs meanwhile where none is set and none runs."""
    return [*_mongodb(settings), *_models(settings), *_tokens(settings), *_summaries(settings)]


def report(findings: list[Finding]) -> int:
    """Print the findings; 1 when something is broken, and 0 otherwise."""
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    colours = {Grade.OK: "green", Grade.WARNING: "yellow", Grade.BROKEN: "red"}
    for finding in findings:
        colour = colours[finding.grade]
        console.print(f"[{colour}]{finding.grade.value:<8}[/] {finding.thing}: {escape(finding.text)}", soft_wrap=True)
        if finding.mend:
            console.print(f"         {escape(finding.mend)}", soft_wrap=True)
    return int(any(finding.grade is Grade.BROKEN for finding in findings))


def _mongodb(settings: Settings) -> Iterator[Finding]:
    try:
        with mongodb(settings, attach=True) as uri:
            found = asyncio.run(check_up(uri, settings.database, timeout=settings.mongodb_timeout))
            yield from _graded(found, settings)
            if not found.error and found.replicated and not found.missing and not found.empty:
                yield asyncio.run(_backlog(uri, settings))
    except StartupError as error:
        yield Finding("MongoDB", Grade.BROKEN, str(error))


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
        mend = "Start mongod with --replSet rs0, run rs.initiate() once in mongosh, and add ?replicaSet=rs0 to the URI."
        yield Finding("Replica set", Grade.BROKEN, "a standalone server: no transactions, no change streams", mend)
    elif not found.writable:
        mend = "Look at rs.status() in mongosh: a majority of the members has to be up."
        yield Finding("Replica set", Grade.BROKEN, "it has no primary", mend)
    else:
        yield Finding("Replica set", Grade.OK, "there, with a primary")
    if abs(found.clock) > _MOST_SKEW:
        text = f"MongoDB's is {found.clock:+.0f} seconds off this machine's"
        yield Finding("Clocks", Grade.WARNING, text, "Let NTP set both: leases of workers go by the time of day.")
    yield _indexes(found)
    yield from _disk(found, settings)


def _indexes(found: Checkup) -> Finding:
    mend = "Start `recallql serve` or `recallql worker` once: they make what is missing."
    if found.empty:
        return Finding("Indexes", Grade.OK, "the database is not there yet; the first start makes it")
    if not found.missing:
        return Finding("Indexes", Grade.OK, "all there")
    missing = "; ".join(f"{collection}: {', '.join(names)}" for collection, names in found.missing.items())
    return Finding("Indexes", Grade.BROKEN, f"missing of {missing}", mend)


def _disk(found: Checkup, settings: Settings) -> Iterator[Finding]:
    free = []
    if found.disk is not None:
        total, used = found.disk
        free.append(("MongoDB's disk", total - used))
    if settings.mongodb_uri is None and settings.data_dir.exists():
        free.append((f"the disk of {settings.data_dir}", shutil.disk_usage(settings.data_dir).free))
    for name, left in free:
        text = f"{left / 2**30:.1f} GiB are free on {name}"
        if left < _LEAST_DISK:
            yield Finding("Disk", Grade.BROKEN, text, "Free some space: MongoDB stops when none is left.")
        else:
            yield Finding("Disk", Grade.OK, text)


async def _backlog(uri: str, settings: Settings) -> Finding:
    async with opened(settings, uri, make=False) as database:
        state = await progress.progress(database)
    text = f"{state['done']:,} messages done, {state['pending']:,} pending, {state['failed']:,} failed"
    if state["failed"]:
        mend = "Their reasons are in Message.enrichment; `recallql enrich --failed` begins them again."
        return Finding("Enrichment", Grade.WARNING, text, mend)
    return Finding("Enrichment", Grade.OK, text)


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
                mend = "It may find other entities than it was trained to: install a model of spaCy's own version."
                yield Finding("spaCy model", Grade.WARNING, warning, mend)


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
