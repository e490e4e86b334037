"""The checks of `recallql doctor`: of everything that RecallQL needs, with the own mongod and models.

`graph.operations.diagnosis` has the rules that a server applies, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, suppress

from graph.enrichment.entities import Extractor
from graph.enrichment.models import load_model, version_warning
from graph.errors import StartupError
from graph.mongod.datadir import database_dir
from graph.mongod.embedded import running_uri
from graph.operations.diagnosis import (
    Finding,
    Grade,
    authentication,
    disk,
    embeddings,
    name_of_models,
    of_mongodb,
    short,
    summaries,
    tokens,
    tried,
)
from graph.recall.embedding import embedder_of
from graph.runtime.deployment import mongodb
from graph.runtime.served import all_served
from graph.settings import Settings
from graph.store.checkup import Checkup, check_up


def examine(settings: Settings) -> list[Finding]:
    """Check everything, and change and start nothing: of an own mongod that does not run, the disk alone is checked."""
    return [
        authentication(settings),
        *_mongodb(settings),
        *_models(settings),
        tokens(settings),
        summaries(settings),
        asyncio.run(_embeddings(settings)),
    ]


def _mongodb(settings: Settings) -> Iterator[Finding]:
    if settings.mongodb_uri is None:
        if not database_dir(settings.data_dir.expanduser()).exists():
            text = f"no data in {settings.data_dir} yet: the first start of a server makes it"
            yield Finding("MongoDB", Grade.OK, text)
            return
        if running_uri(settings.data_dir) is None:
            yield Finding("MongoDB", Grade.WARNING, f"no server runs the one of {settings.data_dir}", _how_to_run())
            yield from disk(settings)
            return
    try:
        with mongodb(settings, attach=True) as uri:
            yield from of_mongodb(asyncio.run(_checked(uri, settings)), settings)
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


def _models(settings: Settings) -> Iterator[Finding]:
    name, languages = settings.spacy_model, settings.spacy_languages
    models = [name, *languages.values()]
    if languages:
        found = tried(name_of_models(settings), f"{short(models)} find entities", lambda: Extractor(name, languages))
    else:
        found = tried(name_of_models(settings), f"{short(models)} finds entities", lambda: load_model(name))
    yield found
    if found.grade is Grade.OK:
        for model in models:
            if (warning := version_warning(model)) is not None:
                advice = "It may find other entities than it was trained to: install a model of spaCy's own version."
                yield Finding("spaCy model", Grade.WARNING, warning, advice)


async def _embeddings(settings: Settings) -> Finding:
    try:
        embedder = embedder_of(settings)
    except StartupError as error:
        return Finding("Embeddings", Grade.BROKEN, str(error))
    if embedder is None:
        return await embeddings(settings, None, loads=True)
    async with aclosing(embedder):
        return await embeddings(settings, embedder, loads=True)
