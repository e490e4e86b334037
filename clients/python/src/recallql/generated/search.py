from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import MessageFields


class Search(BaseModel):
    search: "SearchSearch"


class SearchSearch(BaseModel):
    edges: list["SearchSearchEdges"]
    page_info: "SearchSearchPageInfo" = Field(alias="pageInfo")


class SearchSearchEdges(BaseModel):
    cursor: str
    score: float
    node: "SearchSearchEdgesNode"


class SearchSearchEdgesNode(MessageFields):
    session: "SearchSearchEdgesNodeSession"


class SearchSearchEdgesNodeSession(BaseModel):
    session_id: str = Field(alias="sessionId")


class SearchSearchPageInfo(BaseModel):
    has_next_page: bool = Field(alias="hasNextPage")
    end_cursor: Optional[str] = Field(alias="endCursor")


Search.model_rebuild()
SearchSearch.model_rebuild()
SearchSearchEdges.model_rebuild()
SearchSearchEdgesNode.model_rebuild()
