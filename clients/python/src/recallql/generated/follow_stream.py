from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .enums import MessageStatus
from .fragments import MessageFields


class FollowStream(BaseModel):
    message_stream: "FollowStreamMessageStream" = Field(alias="messageStream")


class FollowStreamMessageStream(BaseModel):
    index: Optional[int]
    text: str
    data: Optional[str]
    done: bool
    status: MessageStatus
    message: Optional["FollowStreamMessageStreamMessage"]


FollowStreamMessageStreamMessage = MessageFields
FollowStream.model_rebuild()
FollowStreamMessageStream.model_rebuild()
