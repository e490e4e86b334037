from pydantic import Field

from .base_model import BaseModel


class PutItems(BaseModel):
    put_items: "PutItemsPutItems" = Field(alias="putItems")


class PutItemsPutItems(BaseModel):
    items: list["PutItemsPutItemsItems"]


class PutItemsPutItemsItems(BaseModel):
    key: str


PutItems.model_rebuild()
PutItemsPutItems.model_rebuild()
