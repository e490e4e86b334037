from pydantic import Field

from .base_model import BaseModel
from .fragments import MessageFields


class StartMessage(BaseModel):
    start_message: "StartMessageStartMessage" = Field(alias="startMessage")


class StartMessageStartMessage(BaseModel):
    replayed: bool
    message: "StartMessageStartMessageMessage"


StartMessageStartMessageMessage = MessageFields
StartMessage.model_rebuild()
StartMessageStartMessage.model_rebuild()
