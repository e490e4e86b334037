from typing import Optional

from pydantic import Field

from .base_model import BaseModel
from .fragments import ItemFields


class Items(BaseModel):
    items: "ItemsItems"


class ItemsItems(BaseModel):
    edges: list["ItemsItemsEdges"]
    page_info: "ItemsItemsPageInfo" = Field(alias="pageInfo")


class ItemsItemsEdges(BaseModel):
    score: Optional[float]
    node: "ItemsItemsEdgesNode"


ItemsItemsEdgesNode = ItemFields


class ItemsItemsPageInfo(BaseModel):
    has_next_page: bool = Field(alias="hasNextPage")
    has_previous_page: bool = Field(alias="hasPreviousPage")
    start_cursor: Optional[str] = Field(alias="startCursor")
    end_cursor: Optional[str] = Field(alias="endCursor")


Items.model_rebuild()
ItemsItems.model_rebuild()
ItemsItemsEdges.model_rebuild()
