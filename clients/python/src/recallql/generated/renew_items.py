from pydantic import Field

from .base_model import BaseModel


class RenewItems(BaseModel):
    renew_items: "RenewItemsRenewItems" = Field(alias="renewItems")


class RenewItemsRenewItems(BaseModel):
    items: list["RenewItemsRenewItemsItems"]


class RenewItemsRenewItemsItems(BaseModel):
    key: str


RenewItems.model_rebuild()
RenewItemsRenewItems.model_rebuild()
