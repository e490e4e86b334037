from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import MessageFields


class Messages(BaseModel):
    session: Optional["MessagesSession"]


class MessagesSession(BaseModel):
    messages: "MessagesSessionMessages"


class MessagesSessionMessages(BaseModel):
    edges: list["MessagesSessionMessagesEdges"]
    page_info: "MessagesSessionMessagesPageInfo" = Field(alias="pageInfo")


class MessagesSessionMessagesEdges(BaseModel):
    cursor: str
    node: "MessagesSessionMessagesEdgesNode"


MessagesSessionMessagesEdgesNode = MessageFields


class MessagesSessionMessagesPageInfo(BaseModel):
    has_next_page: bool = Field(alias="hasNextPage")
    has_previous_page: bool = Field(alias="hasPreviousPage")
    start_cursor: Optional[str] = Field(alias="startCursor")
    end_cursor: Optional[str] = Field(alias="endCursor")


Messages.model_rebuild()
MessagesSession.model_rebuild()
MessagesSessionMessages.model_rebuild()
MessagesSessionMessagesEdges.model_rebuild()
