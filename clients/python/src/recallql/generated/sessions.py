from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import SessionFields


class Sessions(BaseModel):
    sessions: "SessionsSessions"


class SessionsSessions(BaseModel):
    edges: list["SessionsSessionsEdges"]
    page_info: "SessionsSessionsPageInfo" = Field(alias="pageInfo")


class SessionsSessionsEdges(BaseModel):
    node: "SessionsSessionsEdgesNode"


SessionsSessionsEdgesNode = SessionFields


class SessionsSessionsPageInfo(BaseModel):
    has_next_page: bool = Field(alias="hasNextPage")
    end_cursor: Optional[str] = Field(alias="endCursor")


Sessions.model_rebuild()
SessionsSessions.model_rebuild()
SessionsSessionsEdges.model_rebuild()
