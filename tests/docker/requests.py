# An MCP server whose only tool gets a URL, by a client that knows nothing of where it runs.
import json, ssl, sys, urllib.request
import httpx2

def get(client, url):
    if client == "httpx":
        return httpx2.get(url, verify=False).text
    return urllib.request.urlopen(url, context=ssl._create_unverified_context()).read().decode()

def answer(method, params):
    if method == "initialize":
        about = {"name": "python", "version": "1"}
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": about}
    if method == "tools/list":
        return {"tools": [{"name": "get", "inputSchema": {"type": "object"}}]}
    try:
        text, failed = get(**params["arguments"]), False
    except Exception as error:
        text, failed = str(error), True
    return {"content": [{"type": "text", "text": text}], "isError": failed}

for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        result = answer(message["method"], message.get("params"))
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
