from pydantic import Field

from .base_model import BaseModel


class DeleteSession(BaseModel):
    delete_session: "DeleteSessionDeleteSession" = Field(alias="deleteSession")


class DeleteSessionDeleteSession(BaseModel):
    deleted_id: str = Field(alias="deletedId")


DeleteSession.model_rebuild()
