"""The console: sessions and conversations, in a real browser that reaches no other host."""

from __future__ import annotations

import json
import re
from urllib.parse import quote
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.support.console import PATIENCE, Visit, add, said
from tests.support.server_process import ServerProcess, until

HOSTILE = [
    "<script>window.hostile = 1</script>",
    "<img src=x onerror='window.hostile = 1'>",
    "[a link](javascript:window.hostile=1)",
    "![an image](https://elsewhere.test/pixel.png)",
    "<iframe srcdoc='<script>parent.hostile = 1</script>'></iframe>",
    "<svg onload='window.hostile = 1'></svg>",
    "[x]: data:text/html,<script>window.hostile=1</script>\n\n[x]",
    "`</script><script>window.hostile = 1</script>`",
]

pytestmark = pytest.mark.usefixtures("bundle")


@pytest.mark.slow
def test_the_list_of_sessions_shows_what_others_write_and_delete(visit: Visit, server: ServerProcess) -> None:
    add(server, "first", said("Where does Octavia live?"), userId="ada")
    visit.open()
    row = visit.page.locator("a.session")
    expect(row.filter(has_text="Where does Octavia live?")).to_be_visible(timeout=PATIENCE)
    add(server, "second", said("A session of somebody else"))
    expect(row.first).to_contain_text("A session of somebody else")
    add(server, "first", said("In Pasadena.", "assistant"))
    expect(row.first).to_contain_text("assistant: In Pasadena.")
    expect(row.first).to_contain_text("2 messages")
    visit.page.get_by_role("searchbox", name="User").fill("ada")
    visit.page.keyboard.press("Enter")
    expect(row.filter(has_text="A session of somebody else")).to_have_count(0)
    expect(row.first).to_contain_text("In Pasadena.")
    visit.open()
    expect(row.filter(has_text="A session of somebody else")).to_be_visible()
    visit.page.get_by_role("searchbox", name="Text").fill("Where does Octavia live")
    visit.page.get_by_role("button", name="Filter").click()
    expect(row).to_have_count(1)
    expect(row).to_contain_text("user: Where does Octavia live?")
    visit.open("sessions?metadata=plan.name%3Dpro&since=2020-01-01")
    expect(row).to_have_count(0)
    expect(visit.page.get_by_text("No session meets the filter.")).to_be_visible()
    add(server, "third", said("Of a customer"), metadata={"plan": {"name": "pro"}})
    expect(row).to_have_count(1)
    visit.open("sessions?until=2020-01-01")
    expect(visit.page.get_by_text("No session meets the filter.")).to_be_visible()
    visit.open()
    server.graphql('mutation { deleteSession(input: { sessionId: "second" }) { deletedId } }')
    expect(row.filter(has_text="A session of somebody else")).to_have_count(0)
    assert visit.complaints == []


@pytest.mark.slow
def test_a_conversation_is_shown_changed_and_followed(visit: Visit, server: ServerProcess) -> None:
    parts = [
        {"type": "text", "text": "It is **warm** there."},
        {"type": "tool-call", "toolName": "weather", "input": {"place": "Pasadena"}},
    ]
    messages = [said("🌍 Octavia Butler was born in Pasadena."), {"role": "assistant", "parts": parts}]
    add(server, "chat", *messages, awaitEntities=True)
    visit.open("sessions/chat")
    message = visit.page.locator("article.message")
    expect(message).to_have_count(2)
    expect(message.nth(0).locator("mark.entity").filter(has_text=re.compile("^Octavia Butler$"))).to_be_visible()
    expect(message.nth(1).locator("strong", has_text="warm")).to_be_visible()
    message.nth(1).locator("summary").click()
    expect(message.nth(1).locator("details pre")).to_contain_text('"place": "Pasadena"')

    change = "mutation($input: UpdateSessionInput!) { updateSession(input: $input) { session { title } } }"
    server.graphql(change, input={"sessionId": "chat", "title": "About Octavia Butler"})
    expect(visit.page.get_by_role("heading", name="About Octavia Butler")).to_be_visible()
    add(server, "chat", said("Written by another client"))
    expect(message.nth(2)).to_contain_text("Written by another client")
    message.nth(2).get_by_role("button", name="Edit").click()
    visit.page.get_by_role("textbox", name="Content of message 3").fill("Written again")
    visit.page.get_by_role("button", name="Save").click()
    expect(message.nth(2)).to_contain_text("Written again")
    visit.page.on("dialog", lambda dialog: dialog.accept())
    message.nth(2).get_by_role("button", name="Delete").click()
    expect(message).to_have_count(2)
    stored = server.graphql('{ session(sessionId: "chat") { messages { edges { node { seq content } } } } }')
    assert [edge["node"]["seq"] for edge in stored["session"]["messages"]["edges"]] == [1, 2]

    visit.page.get_by_role("list", name="Entities of the session").get_by_role("link", name="Octavia Butler").click()
    expect(visit.page.get_by_role("heading", name="Octavia Butler")).to_be_visible()
    expect(visit.page.get_by_role("list", name="Messages").get_by_role("listitem")).to_have_count(1)
    visit.page.get_by_role("list", name="Messages").get_by_role("link", name="#1").click()
    expect(visit.page.locator("article[data-target]")).to_contain_text("was born in Pasadena")

    message.nth(0).get_by_role("button", name="Fork here").click()
    expect(visit.page.locator("p.facts")).to_contain_text("forked from chat at #1")
    expect(message).to_have_count(1)
    assert visit.complaints == []


@pytest.mark.slow
def test_an_answer_that_is_being_written_grows(visit: Visit, server: ServerProcess) -> None:
    uuid = str(uuid4())
    start = "mutation($input: StartMessageInput!) { startMessage(input: $input) { message { seq } } }"
    append = "mutation($input: AppendMessageInput!) { appendMessage(input: $input) { nextIndex } }"
    add(server, "streamed", said("Where was Octavia Butler born?"))
    visit.open("sessions/streamed")
    message = visit.page.locator("article.message")
    expect(message).to_have_count(1)
    server.graphql(start, input={"sessionId": "streamed", "role": "assistant", "uuid": uuid})
    for index, (text, shown) in enumerate(
        [("She was **born", "She was"), ("** in", "She was born in"), (" Pasadena", "Pasadena")]
    ):
        server.graphql(append, input={"uuid": uuid, "pieces": [{"index": index, "text": text}]})
        expect(message.nth(1)).to_contain_text(shown)
        expect(message.nth(1)).to_contain_text("streaming")
    expect(message.nth(1).locator("strong", has_text="born")).to_be_visible()
    visit.page.reload()
    expect(message.nth(1)).to_contain_text("She was born in Pasadena")
    finish = "mutation($input: FinishMessageInput!) { finishMessage(input: $input) { message { seq } } }"
    server.graphql(finish, input={"uuid": uuid, "content": "She was born in Pasadena, California."})
    expect(message.nth(1)).to_contain_text("Pasadena, California.")
    expect(message.nth(1)).not_to_contain_text("streaming")
    assert visit.complaints == []


@pytest.mark.slow
def test_a_message_is_shown_as_json_with_its_query_which_the_explorer_runs(visit: Visit, server: ServerProcess) -> None:
    add(server, "raw", said("A message as JSON"), awaitEntities=True)
    visit.open("sessions/raw")
    visit.page.locator("footer").get_by_role("button", name="JSON").click()
    shown = visit.page.get_by_label("Message 1 as JSON").inner_text()
    query = visit.page.get_by_label("Query for message 1").inner_text()
    message = json.loads(shown)
    assert message["content"] == "A message as JSON"
    assert server.graphql(query, uuid=message["uuid"])["message"] == message
    for _ in range(2):  # on a first visit, and where there are tabs
        with visit.page.expect_popup() as opened:
            visit.page.get_by_role("link", name="Open in the explorer").click()
        explorer = opened.value
        expect(explorer.locator(".graphiql-query-editor")).to_contain_text("query Message")
        explorer.locator("button.graphiql-execute-button").click()
        expect(explorer.locator(".result-window")).to_contain_text("A message as JSON")
        assert "#" not in explorer.url
        explorer.close()


@pytest.mark.slow
def test_the_history_of_a_long_conversation_is_read_as_it_is_scrolled_to(visit: Visit, server: ServerProcess) -> None:
    add(server, "long", *[said(f"message number {number} of many") for number in range(1, 301)])
    visit.open("sessions/long?seq=120")
    target = visit.page.locator("article[data-target]")
    expect(target).to_contain_text("message number 120 of many")
    visit.open("sessions/first")
    visit.open("sessions/long")
    expect(visit.page.locator("article.message").get_by_text("message number 300 of many")).to_be_visible()
    for _ in range(60):
        visit.page.mouse.move(700, 600)
        visit.page.mouse.wheel(0, -3_000)
        visit.page.wait_for_timeout(50)
    expect(visit.page.locator("article.message").get_by_text("message number 1 of many", exact=True)).to_be_visible()
    assert visit.page.locator("article.message").count() < 100
    # The worker of a busy machine takes longer than a page waits.
    summaries = '{ session(sessionId: "long") { summaries(first: 1) { edges { node { uuid } } } } }'
    until(lambda: server.graphql(summaries)["session"]["summaries"]["edges"], 150)
    rail = visit.page.get_by_role("complementary", name="Summaries")
    covered = rail.get_by_role("listitem").first  # later ones still come
    covered.locator("summary").click()
    first_seq = str(covered.locator("summary").inner_text()).partition(" ")[0]
    covered.get_by_role("button", name="Show its messages").click()
    expect(visit.page.locator("article[data-target]").get_by_text(first_seq, exact=True)).to_be_visible()
    expect(covered.locator("[aria-current=true]")).to_be_visible()


@pytest.mark.slow
def test_nothing_that_is_stored_becomes_markup_or_a_script(visit: Visit, server: ServerProcess) -> None:
    session_id, user_id = "<b>hostile</b>&\"'", HOSTILE[1]
    for text in HOSTILE:
        parts = [{"type": "text", "text": text}, {"type": text, "toolName": text, "input": {text: text}}]
        messages = [{**said(text), "name": text}, {"role": "assistant", "parts": parts}, said(f"Octavia Butler {text}")]
        add(server, session_id, *messages, metadata={text: text}, userId=user_id, awaitEntities=True)
    server.graphql(
        "mutation($input: UpdateSessionInput!) { updateSession(input: $input) { session { title } } }",
        input={"sessionId": session_id, "title": HOSTILE[0], "metadata": {HOSTILE[0]: HOSTILE[1]}},
    )
    server.graphql(
        "mutation($input: UpdateUserInput!) { updateUser(input: $input) { user { userId } } }",
        input={
            "userId": user_id,
            "email": HOSTILE[0],
            "firstName": HOSTILE[5],
            "lastName": HOSTILE[4],
            "metadata": {HOSTILE[0]: HOSTILE[1]},
        },
    )
    summaries = "query($id: ID!) { session(sessionId: $id) { summaries(last: 1) { edges { node { content } } } } }"
    until(lambda: bool(server.graphql(summaries, id=session_id)["session"]["summaries"]["edges"]))

    def check() -> None:
        expect(visit.page.get_by_role("status").filter(has_text="Loading…")).to_have_count(0)
        assert visit.page.evaluate("window.hostile") is None
        assert visit.page.locator("#console :is(script, img, iframe, object, embed)").count() == 0
        assert visit.page.locator("#console a[href^='javascript:'], #console a[href^='data:']").count() == 0

    visit.open()
    expect(visit.page.get_by_text(HOSTILE[0]).first).to_be_visible(timeout=PATIENCE)
    check()
    visit.page.locator("a.session", has_text=HOSTILE[0]).click()
    message = visit.page.locator("article.message")
    expect(message.last).to_be_visible()
    expect(visit.page.locator(".rail")).to_be_visible()
    for _ in range(3 * len(HOSTILE)):
        visit.page.evaluate(
            "document.querySelectorAll('article.message details').forEach(part => { part.open = true })"
        )
        check()
        visit.page.mouse.wheel(0, -400)
        visit.page.wait_for_timeout(50)
    entities = visit.page.get_by_role("list", name="Entities of the session").get_by_role("link")
    entities.filter(has_text="<script>").first.click()
    expect(visit.page.get_by_role("list", name="Messages").get_by_role("listitem").first).to_be_visible()
    check()
    visit.open(f"users/{quote(user_id, safe='')}")
    expect(visit.page.get_by_role("heading", name=HOSTILE[5])).to_be_visible()
    check()
    visit.open(f"recall?query=hostile&session={quote(session_id)}")
    expect(visit.page.locator("ol.results li").first).to_be_visible()
    check()
    visit.open(f"recall?query=hostile&session={quote(session_id)}&show=context")
    expect(visit.page.locator("main")).to_contain_text("window.hostile")
    check()
    assert visit.complaints == []
