from pydantic import Field

from .base_model import BaseModel
from .fragments import MessageFields


class Context(BaseModel):
    context: "ContextContext"


class ContextContext(BaseModel):
    text: str
    token_count: int = Field(alias="tokenCount")
    omitted_messages: int = Field(alias="omittedMessages")
    messages: list["ContextContextMessages"]
    recalled: list["ContextContextRecalled"]


ContextContextMessages = MessageFields


class ContextContextRecalled(BaseModel):
    score: float
    message: "ContextContextRecalledMessage"


class ContextContextRecalledMessage(MessageFields):
    session: "ContextContextRecalledMessageSession"


class ContextContextRecalledMessageSession(BaseModel):
    session_id: str = Field(alias="sessionId")


Context.model_rebuild()
ContextContext.model_rebuild()
ContextContextRecalled.model_rebuild()
ContextContextRecalledMessage.model_rebuild()
