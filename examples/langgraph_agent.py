"""An agent of LangGraph that remembers, with a scripted model: no network beyond RecallQL is needed.

recallql serve
pip install './clients/python[langchain,langgraph]' langgraph
python examples/langgraph_agent.py http://localhost:8000
"""

from __future__ import annotations

import sys
from typing import Any

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.config import get_store
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.store.base import BaseStore
from recallql import RecallQL
from recallql.langchain import RecallQLChatMessageHistory
from recallql.langgraph import RecallQLStore

SESSION = "example-langgraph"


@tool
def opening_time(place: str) -> str:
    """Return when a place opens, and keep it for later conversations."""
    get_store().put(("places",), place, {"text": f"{place} opens at nine"})
    return f"{place} opens at nine"


def agent_of(model: Any, store: BaseStore) -> Any:
    """Return an agent that calls the model and its tools in turn; put a model of yours in place of the script."""
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([opening_time]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile(store=store)


def main(url: str) -> None:
    """Ask in two runs; the second one reads the first one's messages and tool call from RecallQL."""
    call = {"name": "opening_time", "args": {"place": "the harbour office"}, "id": "c1"}
    script = [AIMessage("", tool_calls=[call]), AIMessage("It opens at nine."), AIMessage("For the harbour office.")]
    with RecallQL(url) as memory:
        store = RecallQLStore(memory, "ada")
        agent = agent_of(GenericFakeChatModel(messages=iter(script)), store)
        for question in ("When does the harbour office open?", "For which place did I ask?"):
            history = RecallQLChatMessageHistory(memory, SESSION, user_id="ada")
            before = history.messages
            after = agent.invoke({"messages": [*before, HumanMessage(question)]})["messages"]
            history.add_messages(after[len(before) :])
            print(f"{question} {after[-1].content}")
        print(f"{len(memory.messages(SESSION))} messages are stored; the context of a question about them:")
        print(memory.context(200, session_id=SESSION, query="When does the office open?").text)
        print("The store has:", *(item.value["text"] for item in store.search(("places",), query="office hours")))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000")
