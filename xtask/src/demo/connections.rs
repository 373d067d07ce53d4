//! What the demo says at its end: where the gateway serves, and how to connect a client to it.

/// The words before the URL, by which a program finds it.
pub(super) const SERVES: &str = "The gateway serves ";

/// The lines to copy, for the gateway at `url`.
pub(super) fn connections(url: &str) -> String {
    format!(
        "
{SERVES}{url}

Claude Code   claude mcp add --transport http toolgate {url}
VS Code       .vscode/mcp.json: {{\"servers\": {{\"toolgate\": {{\"type\": \"http\", \"url\": \"{url}\"}}}}}}
Inspector     npx @modelcontextprotocol/inspector --cli {url} --transport http --method tools/list

Calls are logged below. Ctrl-C ends it.
"
    )
}

#[cfg(test)]
mod tests {
    use super::connections;

    const EXPECTED: &str = r#"
The gateway serves http://127.0.0.1:8080/mcp

Claude Code   claude mcp add --transport http toolgate http://127.0.0.1:8080/mcp
VS Code       .vscode/mcp.json: {"servers": {"toolgate": {"type": "http", "url": "http://127.0.0.1:8080/mcp"}}}
Inspector     npx @modelcontextprotocol/inspector --cli http://127.0.0.1:8080/mcp --transport http --method tools/list

Calls are logged below. Ctrl-C ends it.
"#;

    #[test]
    fn the_lines_that_connect_clients_name_the_url() {
        assert_eq!(connections("http://127.0.0.1:8080/mcp"), EXPECTED);
    }

    #[test]
    fn what_vs_code_is_given_is_json() {
        let text = connections("http://127.0.0.1:1/mcp");
        let line = text.lines().find_map(|line| line.strip_prefix("VS Code       .vscode/mcp.json: "));
        let config: serde_json::Value = serde_json::from_str(line.unwrap_or_default()).unwrap();
        assert_eq!(config["servers"]["toolgate"]["url"], "http://127.0.0.1:1/mcp");
    }
}
