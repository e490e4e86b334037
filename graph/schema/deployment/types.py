"""The deployment: versions, storage, subscribers, and the findings of checks."""

from __future__ import annotations

import platform
from datetime import datetime
from importlib.metadata import version
from operator import attrgetter

import strawberry

from graph.execution.fields import as_source, computed, resolved
from graph.execution.size import Size
from graph.operations.diagnosis import Grade
from graph.schema.context import Info
from graph.schema.enums import described_enum
from graph.schema.node import DocumentType
from graph.store.storage import COLLECTIONS
from graph.telemetry.operations import SHOWN

_MOST_FINDINGS = 40
"""Maximum number of findings, for the cost: each check has one or two."""
_OF_PROCESS = {"version": version("recallql"), "python": platform.python_version()}

described_enum(
    Grade,
    name="FindingGrade",
    description="The result of a check.",
    values={
        "OK": "As it should be.",
        "WARNING": "It works, and needs a look.",
        "BROKEN": "It does not work.",
    },
)


@strawberry.type(description="The result of a check of the deployment, with advice.")
class Finding(DocumentType):
    """The source is a `graph.operations.diagnosis.Finding`."""

    name: str = computed(attrgetter("name"), description="The part that was checked, as of `recallql doctor`.")
    grade: Grade = computed(attrgetter("grade"), description="The result.")
    text: str = computed(attrgetter("text"), description="The state, in words.")
    advice: str | None = computed(
        lambda finding: finding.advice or None, description="The repair; null if nothing needs one."
    )


@strawberry.type(
    description="The space of a collection of MongoDB. Numbers are Floats, since an Int ends at 2 GiB. MongoDB's counts"
    " may stay wrong after it was killed."
)
class CollectionStorage(DocumentType):
    """The source is a `graph.store.storage.CollectionSpace`."""

    name: str = computed(attrgetter("name"), description="The name of the collection.")
    documents: float = computed(lambda space: float(space.documents), description="Number of documents.")
    content_bytes: float = computed(
        lambda space: float(space.content), description="Bytes of the documents, uncompressed and without indexes."
    )
    data_bytes: float = computed(
        lambda space: float(space.documents_on_disk), description="Bytes of the documents on the disk, compressed."
    )
    index_bytes: float = computed(
        lambda space: float(space.indexes_on_disk), description="Bytes of the indexes on the disk."
    )


@strawberry.type(description="The space of RecallQL in MongoDB, and its disk. Bytes are Floats.")
class Storage(DocumentType):
    """The source is a `graph.store.storage.Space`."""

    total_bytes: float = computed(
        lambda space: float(sum(each.on_disk for each in space.collections)),
        description="Bytes of all collections on the disk, with their indexes.",
    )
    disk_bytes: float | None = computed(
        lambda space: None if space.disk is None else float(space.disk),
        description="Bytes of the file system of MongoDB; null where MongoDB does not report them.",
    )
    free_bytes: float | None = computed(
        lambda space: None if space.free is None else float(space.free),
        description="Free bytes of the file system of MongoDB; null where MongoDB does not report them.",
    )
    collections: list[CollectionStorage] = computed(
        attrgetter("collections"),
        size=Size(len(COLLECTIONS), len(COLLECTIONS)),
        description="Each collection, largest first.",
    )


@strawberry.type(
    description="How long the calls of an operation took, without the waits of `awaitEntities`. Percentiles are at most"
    " a fifth too long."
)
class OperationTimes(DocumentType):
    """The source is a `graph.telemetry.operations.Times`."""

    name: str | None = computed(
        lambda times: times.name or None,
        description="The name that clients give the operation; null for an operation without a name. After the"
        " first 100 names of a process, it is `other`.",
    )
    kind: str = computed(attrgetter("kind"), description="`query`, `mutation`, or another protocol than GraphQL.")
    count: int = computed(attrgetter("count"), description="Number of calls.")
    median_seconds: float = computed(
        lambda times: times.quantile(0.5), description="Seconds within which half of the calls ended."
    )
    p99_seconds: float = computed(
        lambda times: times.quantile(0.99), description="Seconds within which 99 of 100 calls ended."
    )
    longest_seconds: float = computed(attrgetter("longest"), description="Seconds of the longest call.")
    last_at: datetime = computed(attrgetter("last_at"), description="The end of the last call.")


@strawberry.type(description="The state of the whole deployment, for its operators.")
class Deployment(DocumentType):
    """The source is a `graph.operations.deployment.Deployment`."""

    version: str = computed(lambda _: _OF_PROCESS["version"], description="The version of RecallQL.")
    python_version: str = computed(lambda _: _OF_PROCESS["python"], description="The version of Python.")

    @resolved(description="Number of web processes.")
    async def web_processes(self, info: Info) -> int:
        return (await info.context.backend.deployment.figures()).web_processes

    @resolved(
        description="Number of open subscriptions of all web processes: of the one that answers at the moment, of the"
        " others at most 20 seconds before. A process that was killed counts for a minute."
    )
    async def subscribers(self, info: Info) -> int:
        return (await info.context.backend.deployment.figures()).subscribers

    @resolved(
        size=Size(SHOWN, SHOWN),
        description="The queries and mutations of all web processes with the longest 99th percentiles in the last half"
        " to whole hour, slowest first. Of another process, its 20 slowest are known.",
    )
    async def slowest_operations(self, info: Info) -> list[OperationTimes]:
        return as_source((await info.context.backend.deployment.figures()).slowest_operations())

    @resolved(description="The version of MongoDB.")
    async def mongodb_version(self, info: Info) -> str:
        return await info.context.backend.deployment.mongodb_version()

    @resolved(description="The space of the collections, at most 5 seconds old.")
    async def storage(self, info: Info) -> Storage:
        return as_source(await info.context.backend.deployment.space())

    @resolved(
        size=Size(_MOST_FINDINGS, _MOST_FINDINGS),
        description="The findings of the checks of `recallql doctor`, at most 5 seconds old. No model is"
        " loaded: the check finds its files.",
    )
    async def findings(self, info: Info) -> list[Finding]:
        return as_source(await info.context.backend.deployment.findings())
