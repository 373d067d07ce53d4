"""LangChain's adapters as a client: what they make of our tools, as JSON. Takes `http URL` or `stdio COMMAND …`."""

import asyncio
import json
import sys

from langchain_mcp_adapters.client import MultiServerMCPClient


async def seen(connection):
    tools = {tool.name: tool for tool in await MultiServerMCPClient({"gateway": connection}).get_tools()}
    text = await tools["e__test_simple_text"].ainvoke({})
    total = await tools["e__sum"].ainvoke({"a": 2, "b": 3})
    return {"tools": list(tools), "text": text, "sum": total, "schema": tools["e__sum"].args["a"]["description"]}


transport, *rest = sys.argv[1:]
if transport == "http":
    connection = {"transport": "streamable_http", "url": rest[0]}
else:
    connection = {"transport": "stdio", "command": rest[0], "args": rest[1:]}
print(json.dumps(asyncio.run(seen(connection))))
