from pydantic import Field

from .base_model import BaseModel
from .fragments import MessageFields


class Follow(BaseModel):
    message_added: "FollowMessageAdded" = Field(alias="messageAdded")


FollowMessageAdded = MessageFields
Follow.model_rebuild()
