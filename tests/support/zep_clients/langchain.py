"""LangChain's ZepChatMessageHistory, ZepMemory and ZepRetriever.

Usage: langchain.py BASE_URL SESSION_ID; prints what it saw as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings

from langchain_community.chat_message_histories import ZepChatMessageHistory
from langchain_community.memory.zep_memory import ZepMemory
from langchain_community.retrievers import ZepRetriever
from langchain_community.retrievers.zep import SearchScope, SearchType
from langchain_core.messages import AIMessage, HumanMessage


async def main(base_url: str, session_id: str) -> None:
    history = ZepChatMessageHistory(session_id, url=base_url)
    assert history.messages == []
    assert history.zep_summary is None
    history.add_user_message("Who was Octavia Butler?", metadata={"foo": "bar"})
    history.add_ai_message("An American science fiction author.")
    history.add_messages(
        [HumanMessage("Which books of hers were made into movies?"), AIMessage("Kindred was a series.")]
    )
    await history.aadd_messages([HumanMessage("Thank you."), AIMessage("You are welcome.")])
    messages = history.messages
    assert [message.type for message in messages] == ["human", "ai"] * 3
    assert messages[0].additional_kwargs["metadata"]["foo"] == "bar"
    assert messages[0].additional_kwargs["token_count"] == 8
    assert [message.uuid for message in history.zep_messages] == [
        message.additional_kwargs["uuid"] for message in messages
    ]
    (hit,) = history.search("movie", limit=1)
    assert hit.message["content"] == "Which books of hers were made into movies?"

    memory = ZepMemory(session_id=session_id, url=base_url, memory_key="history", return_messages=True)
    memory.save_context({"input": "And what else?"}, {"output": "Nothing more."}, metadata={"turn": 4})
    variables = await memory.aload_memory_variables({})
    assert [message.content for message in variables["history"]][-2:] == ["And what else?", "Nothing more."]
    assert memory.load_memory_variables({})["history"][0].content == "Who was Octavia Butler?"

    for kind in (SearchType.similarity, SearchType.mmr):
        retriever = ZepRetriever(
            url=base_url, session_id=session_id, top_k=2, search_type=kind, mmr_lambda=0.5 if kind == "mmr" else None
        )
        documents = retriever.invoke("books and movies")
        assert [document.page_content for document in documents] == ["Which books of hers were made into movies?"]
        assert 0 < documents[0].metadata["score"] < 1
        assert [d.metadata["uuid"] for d in await retriever.ainvoke("books and movies")] == [
            d.metadata["uuid"] for d in documents
        ]
        where = {"where": {"jsonpath": "$[*] ? (@.turn == 4)"}}
        assert len(retriever.invoke("what", metadata=where)) + len(retriever.invoke("nothing", metadata=where)) == 1
    summaries = ZepRetriever(url=base_url, session_id=session_id, top_k=2, search_scope=SearchScope.summary)
    assert summaries.invoke("books") == []

    sys.stdout.write(json.dumps({"uuids": [message.uuid for message in history.zep_messages]}))
    sys.stdout.flush()
    memory.clear()
    assert history.messages == []
    await history.aclear()


warnings.simplefilter("ignore", DeprecationWarning)  # LangChain's, of its own parts
asyncio.run(main(*sys.argv[1:]))
