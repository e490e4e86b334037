from pydantic import Field

from .base_model import BaseModel
from .fragments import MessageFields


class FinishMessage(BaseModel):
    finish_message: "FinishMessageFinishMessage" = Field(alias="finishMessage")


class FinishMessageFinishMessage(BaseModel):
    message: "FinishMessageFinishMessageMessage"


FinishMessageFinishMessageMessage = MessageFields
FinishMessage.model_rebuild()
FinishMessageFinishMessage.model_rebuild()
