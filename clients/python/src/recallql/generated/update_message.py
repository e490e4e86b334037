from pydantic import Field

from .base_model import BaseModel
from .fragments import MessageFields


class UpdateMessage(BaseModel):
    update_message: "UpdateMessageUpdateMessage" = Field(alias="updateMessage")


class UpdateMessageUpdateMessage(BaseModel):
    message: "UpdateMessageUpdateMessageMessage"


UpdateMessageUpdateMessageMessage = MessageFields
UpdateMessage.model_rebuild()
UpdateMessageUpdateMessage.model_rebuild()
