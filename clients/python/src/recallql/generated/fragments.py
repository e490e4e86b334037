from datetime import datetime
from typing import Any, Optional
from uuid import UUID

from pydantic import Field

from .base_model import BaseModel
from .enums import MessageStatus


class ItemFields(BaseModel):
    namespace: list[str]
    key: str
    value: Any
    revision: int
    created_at: datetime = Field(alias="createdAt")
    updated_at: datetime = Field(alias="updatedAt")
    ttl: Optional[float]
    expires_at: Optional[datetime] = Field(alias="expiresAt")


class MessageFields(BaseModel):
    id: str
    uuid: UUID
    seq: int
    created_at: datetime = Field(alias="createdAt")
    updated_at: datetime = Field(alias="updatedAt")
    revision: int
    role: str
    name: Optional[str]
    tool_call_id: Optional[str] = Field(alias="toolCallId")
    content: str
    parts: list[Any]
    metadata: Any
    token_count: int = Field(alias="tokenCount")
    status: MessageStatus


class SessionFields(BaseModel):
    session_id: str = Field(alias="sessionId")
    uuid: UUID
    user: Optional["SessionFieldsUser"]
    created_at: datetime = Field(alias="createdAt")
    updated_at: datetime = Field(alias="updatedAt")
    revision: int
    metadata: Any
    message_count: int = Field(alias="messageCount")


class SessionFieldsUser(BaseModel):
    user_id: str = Field(alias="userId")


ItemFields.model_rebuild()
MessageFields.model_rebuild()
SessionFields.model_rebuild()
