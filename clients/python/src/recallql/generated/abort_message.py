from pydantic import Field

from .base_model import BaseModel
from .fragments import MessageFields


class AbortMessage(BaseModel):
    abort_message: "AbortMessageAbortMessage" = Field(alias="abortMessage")


class AbortMessageAbortMessage(BaseModel):
    message: "AbortMessageAbortMessageMessage"


AbortMessageAbortMessageMessage = MessageFields
AbortMessage.model_rebuild()
AbortMessageAbortMessage.model_rebuild()
