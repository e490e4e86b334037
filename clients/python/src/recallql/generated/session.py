from typing import Optional

from .base_model import BaseModel
from .fragments import SessionFields


class Session(BaseModel):
    session: Optional["SessionSession"]


SessionSession = SessionFields
Session.model_rebuild()
