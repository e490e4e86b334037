"""The checks of a valid operation before it is executed: rights, cost, budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graph.access.standing import expired
from graph.errors import TooCostly
from graph.request.guards import Guards
from graph.request.operation import Operation
from graph.schema.context import Context
from graph.settings import Settings
from graph.telemetry.steps import Kind, add, step


async def admit(
    guards: Guards, context: Context, text: str, operation: Operation, variables: Mapping[str, object]
) -> int:
    """Take the cost of a valid operation from the caller's budget.

    Args:
        guards: the checks of the process.
        context: of the operation.
        text: the document.
        operation: the operation of the document to execute.
        variables: the values of the request, unchecked.

    Returns:
        The cost.

    Raises:
        Unauthenticated: the caller's credentials have expired.
        Forbidden: the caller's right is too low for the operation.
        BadUserInput: a list in the variables is too long.
        TooCostly: the cost exceeds the maximum of an operation, or the rest of the caller's budget.
    """
    with step(Kind.ADMISSION):
        guards.trusted.require_trusted(text)
        if context.caller.seconds_left() == 0:
            raise expired()
        context.caller.require(operation.right)
        context.changes = operation.changes
        operation.lists.refuse_long(variables)
        cost = await operation.cost(variables, guards.settings)
        _refuse_above(guards.settings.max_cost, cost)
        await guards.budgets.spend(context.caller, cost)
        return cost


def _refuse_above(most: int, cost: int) -> None:
    if most and cost > most:
        add("refused", cost)
        message = (
            f"the operation can return {cost:,} objects, and at most {most:,} are accepted:"
            " ask for fewer with first or last"
        )
        raise TooCostly(message, cost={"requested": cost, "allowed": most}, setting="RECALLQL_MAX_COST")


def cost_report(cost: int | None, settings: Settings, *, requested: bool) -> dict[str, Any]:
    """Return the cost for the answer's `extensions`, if the caller or the settings ask for it.

    Args:
        cost: of the operation; None where it was refused before its cost was known.
        settings: whether each answer reports its cost.
        requested: whether the caller asks for the cost.
    """
    if cost is None or not (requested or settings.report_cost):
        return {}
    return {"cost": {"requested": cost, "allowed": settings.max_cost}}
