"""The official Python SDK as a client: what it sees, as JSON.

Takes `http URL` or `stdio COMMAND ARGUMENT…`, after the mode: `auto`, `legacy` or a revision.
"""

import asyncio
import json
import sys

import mcp_types as types
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client


async def elicited(_context, _params):
    return types.ElicitResult(action="accept", content={"username": "ann", "email": "ann@example.com"})


async def seen(server, mode):
    progress = []

    async def progressed(done, total, _message):
        progress.append([done, total])

    async with Client(server, mode=mode, elicitation_callback=elicited) as client:
        tools = await client.list_tools()
        total = await client.call_tool("e__sum", {"a": 2, "b": 3})
        image = await client.call_tool("e__test_image_content", {})
        await client.call_tool("e__test_tool_with_progress", {}, progress_callback=progressed)
        asked = await client.call_tool("e__test_elicitation", {"message": "Who?"})
        prompt = await client.get_prompt("e__test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
        resource = await client.read_resource("test://static-text")
        failed = await client.call_tool("e__test_error_handling", {})
    return {
        "tools": [tool.name for tool in tools.tools],
        "sum": total.structured_content,
        "image": [image.content[0].type, image.content[0].mime_type],
        "progress": progress,
        "asked": asked.content[0].text,
        "prompt": prompt.messages[0].content.text,
        "resource": resource.contents[0].text,
        "failed": failed.is_error,
    }


mode, transport, *rest = sys.argv[1:]
if transport == "http":
    server = rest[0]
else:
    server = stdio_client(StdioServerParameters(command=rest[0], args=rest[1:]))
print(json.dumps(asyncio.run(seen(server, mode))))
