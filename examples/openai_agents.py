"""An agent of the OpenAI Agents SDK that remembers, with a scripted model: no network beyond RecallQL is needed.

recallql serve
pip install './clients/python[openai-agents]'
python examples/openai_agents.py http://localhost:8000
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from agents import Agent, ModelResponse, Runner, Usage, function_tool, set_tracing_disabled
from agents.models.interface import Model
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from recallql import AsyncRecallQL
from recallql.openai_agents import RecallQLSession


class ScriptedModel(Model):
    """Gives its answers in turn; put a model of yours in its place."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    async def get_response(self, *_: Any, **__: Any) -> ModelResponse:
        """Return the next answer."""
        return ModelResponse(output=[self._answers.pop(0)], usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> Any:
        """Streams are not part of the script."""
        raise NotImplementedError


def say(text: str) -> ResponseOutputMessage:
    """Return an answer of the model."""
    part = ResponseOutputText(type="output_text", text=text, annotations=[])
    return ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[part])


@function_tool
def opening_time(place: str) -> str:
    """Return when a place opens."""
    return f"{place} opens at nine"


async def main(url: str) -> None:
    """Ask in two runs; the second one reads the first one's messages and tool call from RecallQL."""
    set_tracing_disabled(True)
    call = ResponseFunctionToolCall(
        type="function_call", id="f1", call_id="c1", name="opening_time", arguments='{"place": "the harbour office"}'
    )
    model = ScriptedModel(call, say("It opens at nine."), say("You asked for the harbour office."))
    agent = Agent(name="Guide", model=model, tools=[opening_time])
    async with AsyncRecallQL(url) as memory:
        for question in ("When does the harbour office open?", "For which place did I ask?"):
            session = RecallQLSession(memory, "example-agent", user_id="ada")
            result = await Runner.run(agent, question, session=session)
            print(f"{question} {result.final_output}")
        print(f"{len(await session.get_items())} items are stored; the context of a question about them:")
        context = await memory.context(200, session_id="example-agent", query="When does the office open?")
        print(context.text)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000"))
