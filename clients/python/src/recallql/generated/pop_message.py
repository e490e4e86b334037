from datetime import datetime
from typing import Any, Optional
from uuid import UUID

from pydantic import Field

from .base_model import BaseModel


class PopMessage(BaseModel):
    pop_message: "PopMessagePopMessage" = Field(alias="popMessage")


class PopMessagePopMessage(BaseModel):
    popped_message: Optional["PopMessagePopMessagePoppedMessage"] = Field(
        alias="poppedMessage"
    )


class PopMessagePopMessagePoppedMessage(BaseModel):
    id: str
    uuid: UUID
    seq: int
    created_at: datetime = Field(alias="createdAt")
    role: str
    name: Optional[str]
    tool_call_id: Optional[str] = Field(alias="toolCallId")
    content: str
    parts: list[Any]
    metadata: Any
    token_count: int = Field(alias="tokenCount")


PopMessage.model_rebuild()
PopMessagePopMessage.model_rebuild()
