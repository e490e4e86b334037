"""The query for the deployment."""

from __future__ import annotations

import strawberry

from graph.execution.fields import as_source
from graph.schema.context import Info
from graph.schema.deployment.types import Deployment


@strawberry.type
class DeploymentQueries:
    """The query for operators."""

    @strawberry.field(
        description="The state of the whole deployment: versions, storage, subscribers, and the findings of `recallql"
        " doctor`. FORBIDDEN for end users."
    )
    async def deployment(self, info: Info) -> Deployment:
        return as_source(info.context.backend.deployment.for_caller(info.context.scope))
