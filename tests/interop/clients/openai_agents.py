"""The MCP client of OpenAI's Agents SDK, without a model: what it sees, as JSON. Takes `http URL` or `stdio COMMAND …`."""

import asyncio
import json
import sys

from agents.mcp import MCPServerStdio, MCPServerStreamableHttp


async def seen(server):
    async with server:
        tools = await server.list_tools()
        total = await server.call_tool("e__sum", {"a": 2, "b": 3})
        text = await server.call_tool("e__test_simple_text", {})
    return {
        "tools": [tool.name for tool in tools],
        "sum": total.structured_content,
        "text": text.content[0].text,
    }


transport, *rest = sys.argv[1:]
if transport == "http":
    server = MCPServerStreamableHttp(params={"url": rest[0]})
else:
    server = MCPServerStdio(params={"command": rest[0], "args": rest[1:]})
print(json.dumps(asyncio.run(seen(server))))
