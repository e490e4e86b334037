"""The tools, resources and prompts that the conformance suite of the Model Context Protocol calls.

The suite tests a protocol, so it asks for a server whose tools do nothing but answer in every way of the protocol.
Their names and answers are those of its scenarios.
"""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any, TypeAlias

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.shared.exceptions import MCPError
from mcp.types import (
    AudioContent,
    Completion,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    ImageContent,
    InputRequests,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)
from pydantic import Field

PNG = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c63f8cfc0f01f0005000"
        "1ff56c72f0d0000000049454e44ae426082"
    )
).decode()
"""A picture of one red pixel."""
WAV = base64.b64encode(
    b"RIFF\x26\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00"
    b"data\x02\x00\x00\x00\x80\x80"
).decode()
"""A sound of two samples."""

_MISSING_CAPABILITY = -32021
"""MCP 2026-07-28: the client has not declared a capability that the request needs."""

Answer: TypeAlias = str | InputRequiredResult


def add_fixtures(server: MCPServer) -> None:
    """Add to a server what the suite calls."""
    for tool in _TOOLS:
        server.add_tool(tool, description=tool.__name__, structured_output=False)
    _add_resources(server)
    for prompt in (
        test_simple_prompt,
        test_prompt_with_arguments,
        test_prompt_with_embedded_resource,
        test_prompt_with_image,
        test_input_required_result_prompt,
    ):
        server.prompt(description=prompt.__name__)(prompt)

    @server.completion()  # type: ignore[no-untyped-call, untyped-decorator]
    async def complete(ref: object, argument: object, context: object) -> Completion:
        return Completion(values=["paris", "park"], total=2, has_more=False)


def _embedded(uri: str, text: str, mime_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


def _picture() -> ImageContent:
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def test_simple_text() -> str:
    return "This is a simple text response for testing."


def test_image_content() -> ImageContent:
    return _picture()


def test_audio_content() -> AudioContent:
    return AudioContent(type="audio", data=WAV, mime_type="audio/wav")


def test_embedded_resource() -> EmbeddedResource:
    return _embedded("test://embedded-resource", "This is an embedded resource content.")


def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    return [
        TextContent(type="text", text="Multiple content types test:"),
        _picture(),
        _embedded("test://mixed-content-resource", '{"test": "data", "value": 123}', "application/json"),
    ]


def test_error_handling() -> str:
    raise ToolError("This tool intentionally returns an error for testing")


async def test_tool_with_progress(context: Context) -> str:
    for progress in (0, 50, 100):
        await context.report_progress(progress, 100)
        await anyio.sleep(0.05)
    return "done"


async def test_tool_with_logging(context: Context) -> str:
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await context.info(text)
        await anyio.sleep(0.05)
    return "done"


async def test_logging_tool(context: Context) -> str:
    await context.info("a line of a log, which nobody asked for")
    return "done"


async def test_streaming_elicitation(context: Context) -> Answer:
    return await test_input_required_result_elicitation(context)


def test_missing_capability(context: Context) -> str:
    _require(context, "sampling")
    return "done"


async def test_trigger_tool_change(context: Context) -> str:
    await context.notify_tools_changed()
    return "done"


async def test_trigger_prompt_change(context: Context) -> str:
    await context.notify_prompts_changed()
    return "done"


def _question(message: str, name: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sampling(text: str) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


def _declared(context: Context) -> dict[str, Any]:
    declared = context.client_capabilities
    return declared.model_dump(exclude_none=True) if declared is not None else {}


def _require(context: Context, capability: str) -> None:
    if capability not in _declared(context):
        message = f"the client lacks the capability {capability}"
        raise MCPError(_MISSING_CAPABILITY, message, {"requiredCapabilities": {capability: {}}})


def _answers(context: Context, asked: InputRequests) -> dict[str, Any] | None:
    """The answers of the client, if all have come and each fits its question."""
    expected = {
        ElicitRequest: ElicitResult,
        CreateMessageRequest: CreateMessageResult,
        ListRootsRequest: ListRootsResult,
    }
    given = context.input_responses or {}
    answers = {key: given.get(key) for key in asked}
    fits = all(isinstance(answers[key], expected[type(request)]) for key, request in asked.items())
    return answers if fits else None


async def test_input_required_result_elicitation(context: Context) -> Answer:
    asked: InputRequests = {"user_name": _question("What is your name?", "name")}
    answers = _answers(context, asked)
    if answers is None or not (answers["user_name"].content or {}).get("name"):
        return InputRequiredResult(input_requests=asked)
    return f"Hello, {answers['user_name'].content['name']}!"


async def test_input_required_result_sampling(context: Context) -> Answer:
    asked: InputRequests = {"capital_question": _sampling("What is the capital of France?")}
    answers = _answers(context, asked)
    return InputRequiredResult(input_requests=asked) if answers is None else answers["capital_question"].content.text


async def test_input_required_result_list_roots(context: Context) -> Answer:
    asked: InputRequests = {"client_roots": ListRootsRequest()}
    answers = _answers(context, asked)
    if answers is None:
        return InputRequiredResult(input_requests=asked)
    return " ".join(str(root.uri) for root in answers["client_roots"].roots)


async def test_input_required_result_request_state(context: Context) -> Answer:
    asked: InputRequests = {"confirm": _question("Please confirm", "ok", "boolean")}
    if _answers(context, asked) is None or context.request_state != "asked":
        return InputRequiredResult(input_requests=asked, request_state="asked")
    return "state-ok"


async def test_input_required_result_tampered_state(context: Context) -> Answer:
    return await test_input_required_result_request_state(context)


async def test_input_required_result_multiple_inputs(context: Context) -> Answer:
    asked: InputRequests = {
        "user_name": _question("What is your name?", "name"),
        "greeting": _sampling("Generate a greeting"),
        "client_roots": ListRootsRequest(),
    }
    if _answers(context, asked) is None or context.request_state != "asked":
        return InputRequiredResult(input_requests=asked, request_state="asked")
    return "done"


async def test_input_required_result_multi_round(context: Context) -> Answer:
    first: InputRequests = {"step1": _question("Step 1: What is your name?", "name")}
    second: InputRequests = {"step2": _question("Step 2: What is your favorite color?", "color")}
    if context.request_state == "2" and _answers(context, second) is not None:
        return "done"
    if context.request_state == "1" and _answers(context, first) is not None:
        return InputRequiredResult(input_requests=second, request_state="2")
    return InputRequiredResult(input_requests=first, request_state="1")


async def test_input_required_result_capabilities(context: Context) -> Answer:
    possible: InputRequests = {
        "sampling": _sampling("Generate a greeting"),
        "elicitation": _question("What is your name?", "name"),
        "roots": ListRootsRequest(),
    }
    asked = {key: request for key, request in possible.items() if key in _declared(context)}
    if asked and _answers(context, asked) is None:
        return InputRequiredResult(input_requests=asked)
    return "done"


def test_headers(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
    return f"region {region}"


_TOOLS = (
    test_simple_text,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    test_error_handling,
    test_tool_with_progress,
    test_tool_with_logging,
    test_logging_tool,
    test_streaming_elicitation,
    test_missing_capability,
    test_trigger_tool_change,
    test_trigger_prompt_change,
    test_input_required_result_elicitation,
    test_input_required_result_sampling,
    test_input_required_result_list_roots,
    test_input_required_result_request_state,
    test_input_required_result_tampered_state,
    test_input_required_result_multiple_inputs,
    test_input_required_result_multi_round,
    test_input_required_result_capabilities,
    test_headers,
)


def _add_resources(server: MCPServer) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        return base64.b64decode(PNG)

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> str:  # noqa: A002 - the name in the suite's template
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


def test_simple_prompt() -> str:
    return "This is a simple prompt for testing."


def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 - the suite's name
    embedded = _embedded(resourceUri, "Embedded resource content for testing.")
    return [UserMessage(embedded), UserMessage("Please process the embedded resource above.")]


def test_prompt_with_image() -> list[UserMessage]:
    return [UserMessage(_picture()), UserMessage("Please analyze the image above.")]


async def test_input_required_result_prompt(context: Context) -> str | InputRequiredResult:
    asked: InputRequests = {"user_context": _question("What context should the prompt use?", "context")}
    answers = _answers(context, asked)
    if answers is None:
        return InputRequiredResult(input_requests=asked)
    return f"Use the context {answers['user_context'].content['context']}"
