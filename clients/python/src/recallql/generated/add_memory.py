from uuid import UUID

from pydantic import Field

from .base_model import BaseModel
from .fragments import MessageFields


class AddMemory(BaseModel):
    add_memory: "AddMemoryAddMemory" = Field(alias="addMemory")


class AddMemoryAddMemory(BaseModel):
    replayed: bool
    memory: "AddMemoryAddMemoryMemory"
    session: "AddMemoryAddMemorySession"


class AddMemoryAddMemoryMemory(BaseModel):
    uuid: UUID
    token_count: int = Field(alias="tokenCount")
    messages: list["AddMemoryAddMemoryMemoryMessages"]


AddMemoryAddMemoryMemoryMessages = MessageFields


class AddMemoryAddMemorySession(BaseModel):
    session_id: str = Field(alias="sessionId")
    revision: int
    message_count: int = Field(alias="messageCount")


AddMemory.model_rebuild()
AddMemoryAddMemory.model_rebuild()
AddMemoryAddMemoryMemory.model_rebuild()
