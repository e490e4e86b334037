from pydantic import Field

from .base_model import BaseModel


class DeleteItems(BaseModel):
    delete_items: "DeleteItemsDeleteItems" = Field(alias="deleteItems")


class DeleteItemsDeleteItems(BaseModel):
    deleted_ids: list[str] = Field(alias="deletedIds")


DeleteItems.model_rebuild()
