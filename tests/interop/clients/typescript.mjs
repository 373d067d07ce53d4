// The official TypeScript SDK as a client, v2 or v1: what it sees, as JSON.
//
// Takes the folder of its packages, `v1` or the mode of v2 (`auto`, `legacy` or a revision), and then `http URL` or
// `stdio COMMAND ARGUMENT…`.

import { createRequire } from "node:module";

const [packages, mode, transport, ...rest] = process.argv.slice(2);
const load = createRequire(`${packages}/package.json`);
const info = { name: "interop", version: "1.0.0" };
const capabilities = { elicitation: {} };
const answer = async () => ({ action: "accept", content: { username: "ann", email: "ann@example.com" } });

function v1() {
  const { Client } = load("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = load("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const { StdioClientTransport } = load("@modelcontextprotocol/sdk/client/stdio.js");
  const { ElicitRequestSchema } = load("@modelcontextprotocol/sdk/types.js");
  const client = new Client(info, { capabilities });
  client.setRequestHandler(ElicitRequestSchema, answer);
  return { client, StreamableHTTPClientTransport, StdioClientTransport };
}

function v2() {
  const { Client, StreamableHTTPClientTransport } = load("@modelcontextprotocol/client");
  const { StdioClientTransport } = load("@modelcontextprotocol/client/stdio");
  const negotiation = /^\d/.test(mode) ? { pin: mode } : mode;
  const client = new Client(info, { capabilities, versionNegotiation: { mode: negotiation } });
  client.setRequestHandler("elicitation/create", answer);
  return { client, StreamableHTTPClientTransport, StdioClientTransport };
}

const { client, StreamableHTTPClientTransport, StdioClientTransport } = mode === "v1" ? v1() : v2();
await client.connect(
  transport === "http"
    ? new StreamableHTTPClientTransport(new URL(rest[0]))
    : new StdioClientTransport({ command: rest[0], args: rest.slice(1) }),
);

const progress = [];
const onprogress = ({ progress: done, total }) => progress.push([done, total]);
const told = { name: "e__test_tool_with_progress", arguments: {} };
const call = (name, args) => client.callTool({ name: `e__${name}`, arguments: args });

const { tools } = await client.listTools();
const total = await call("sum", { a: 2, b: 3 });
const image = await call("test_image_content", {});
await (mode === "v1" ? client.callTool(told, undefined, { onprogress }) : client.callTool(told, { onprogress }));
const asked = await call("test_elicitation", { message: "Who?" });
const prompt = await client.getPrompt({
  name: "e__test_prompt_with_arguments",
  arguments: { arg1: "a", arg2: "b" },
});
const resource = await client.readResource({ uri: "test://static-text" });
const failed = await call("test_error_handling", {});
await client.close();

const seen = {
  tools: tools.map((tool) => tool.name),
  sum: total.structuredContent,
  image: [image.content[0].type, image.content[0].mimeType],
  progress,
  asked: asked.content[0].text,
  prompt: prompt.messages[0].content.text,
  resource: resource.contents[0].text,
  failed: failed.isError,
};
console.log(JSON.stringify(seen));
