from pydantic import Field

from .base_model import BaseModel
from .fragments import SessionFields


class CreateSession(BaseModel):
    create_session: "CreateSessionCreateSession" = Field(alias="createSession")


class CreateSessionCreateSession(BaseModel):
    session: "CreateSessionCreateSessionSession"


CreateSessionCreateSessionSession = SessionFields
CreateSession.model_rebuild()
CreateSessionCreateSession.model_rebuild()
