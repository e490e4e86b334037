from typing import Optional
from uuid import UUID

from pydantic import Field

from .base_model import BaseModel
from .enums import MessageUpdateKind
from .fragments import MessageFields


class Changes(BaseModel):
    message_updated: "ChangesMessageUpdated" = Field(alias="messageUpdated")


class ChangesMessageUpdated(BaseModel):
    kind: MessageUpdateKind
    seq: int
    uuid: Optional[UUID]
    revision: int
    message: Optional["ChangesMessageUpdatedMessage"]


ChangesMessageUpdatedMessage = MessageFields
Changes.model_rebuild()
ChangesMessageUpdated.model_rebuild()
