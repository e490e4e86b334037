from enum import Enum


class MessageStatus(str, Enum):
    COMPLETE = "COMPLETE"
    STREAMING = "STREAMING"
    INTERRUPTED = "INTERRUPTED"
    ABORTED = "ABORTED"


class EnrichmentState(str, Enum):
    PENDING = "PENDING"
    DONE = "DONE"
    FAILED = "FAILED"


class OffsetUnit(str, Enum):
    CODE_POINT = "CODE_POINT"
    UTF16 = "UTF16"


class SessionOrderField(str, Enum):
    CREATED_AT = "CREATED_AT"
    UPDATED_AT = "UPDATED_AT"


class OrderDirection(str, Enum):
    ASC = "ASC"
    DESC = "DESC"


class SearchMode(str, Enum):
    HYBRID = "HYBRID"
    LEXICAL = "LEXICAL"
    VECTOR = "VECTOR"


class SummarySource(str, Enum):
    EXTRACTIVE = "EXTRACTIVE"
    LLM = "LLM"


class MessageBranch(str, Enum):
    HEAD = "HEAD"
    ALL = "ALL"


class ForkState(str, Enum):
    MAKING = "MAKING"
    DONE = "DONE"
    FAILED = "FAILED"


class FindingGrade(str, Enum):
    OK = "OK"
    WARNING = "WARNING"
    BROKEN = "BROKEN"


class MessageUpdateKind(str, Enum):
    EDITED = "EDITED"
    DELETED = "DELETED"
    ENRICHED = "ENRICHED"
    CLEARED = "CLEARED"


class SessionUpdateKind(str, Enum):
    CREATED = "CREATED"
    CHANGED = "CHANGED"
    DELETED = "DELETED"
