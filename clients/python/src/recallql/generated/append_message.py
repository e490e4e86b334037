from pydantic import Field

from .base_model import BaseModel


class AppendMessage(BaseModel):
    append_message: "AppendMessageAppendMessage" = Field(alias="appendMessage")


class AppendMessageAppendMessage(BaseModel):
    next_index: int = Field(alias="nextIndex")


AppendMessage.model_rebuild()
