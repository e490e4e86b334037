from pydantic import Field

from .base_model import BaseModel


class DeleteMemory(BaseModel):
    delete_memory: "DeleteMemoryDeleteMemory" = Field(alias="deleteMemory")


class DeleteMemoryDeleteMemory(BaseModel):
    deleted_id: str = Field(alias="deletedId")


DeleteMemory.model_rebuild()
