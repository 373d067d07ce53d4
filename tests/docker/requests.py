# An MCP server whose only tool gets a URL, by a client that knows nothing of where it runs. Some accept any
# certificate, as those of a tunnel that the gateway does not look into are of the test's own authority.
import json, ssl, subprocess, sys, urllib.request
import httpx2

def get(client, url):
    if client == "httpx":
        return httpx2.get(url).text
    if client == "httpx, twice":
        with httpx2.Client() as client:
            return client.get(url).text + client.get(url).text
    if client == "httpx, of its own authorities":
        return httpx2.get(url, verify=ssl.create_default_context(cadata=open("/etc/ssl/certs/ca-certificates.crt").read())).text
    if client == "git":
        done = subprocess.run(["git", "ls-remote", url], capture_output=True, text=True)
        return done.stdout + done.stderr
    if client == "urllib":
        return urllib.request.urlopen(url).read().decode()
    if client == "httpx, of any":
        return httpx2.get(url, verify=False).text
    if client == "urllib, of any":
        return urllib.request.urlopen(url, context=ssl._create_unverified_context()).read().decode()
    raise ValueError(client)

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
