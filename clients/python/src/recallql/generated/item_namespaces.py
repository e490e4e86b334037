from typing import Optional

from pydantic import Field

from .base_model import BaseModel


class ItemNamespaces(BaseModel):
    item_namespaces: "ItemNamespacesItemNamespaces" = Field(alias="itemNamespaces")


class ItemNamespacesItemNamespaces(BaseModel):
    edges: list["ItemNamespacesItemNamespacesEdges"]
    page_info: "ItemNamespacesItemNamespacesPageInfo" = Field(alias="pageInfo")


class ItemNamespacesItemNamespacesEdges(BaseModel):
    node: "ItemNamespacesItemNamespacesEdgesNode"


class ItemNamespacesItemNamespacesEdgesNode(BaseModel):
    namespace: list[str]


class ItemNamespacesItemNamespacesPageInfo(BaseModel):
    has_next_page: bool = Field(alias="hasNextPage")
    end_cursor: Optional[str] = Field(alias="endCursor")


ItemNamespaces.model_rebuild()
ItemNamespacesItemNamespaces.model_rebuild()
ItemNamespacesItemNamespacesEdges.model_rebuild()
