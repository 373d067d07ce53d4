//! Entries as catalogs have them, each with its section and notes whole.

use super::*;

/// What stands on the two streams.
fn told(catalog: &str, values: &str) -> String {
    let (catalog, values) = (Catalog::parse(catalog).unwrap(), Values::parse(values).unwrap());
    let shown = |Imported { entry, section, notes }: Imported| {
        let notes: String = notes.iter().map(|note| format!("! {note}\n")).collect();
        format!("== {entry}\n{}{notes}", section.unwrap_or_default())
    };
    catalog.import(None, &values).into_iter().map(shown).collect()
}

const CATALOG: &str = r#"
version: 2
name: docker-mcp
registry:
  git:
    description: Git repository interaction and automation.
    title: Git (Reference)
    type: server
    dateAdded: "2025-05-05T20:08:35Z"
    image: mcp/git@sha256:0000000000000000000000000000000000000000000000000000000000000001
    ref: ""
    tools: [{ name: git_add }, { name: git_log }]
    volumes: ['{{git.paths|volume|into}}']
    prompts: 0
    resources: {}
    config:
      - name: git
        type: object
        properties: { paths: { type: array, items: { type: string } } }
        required: [paths]
    metadata: { githubStars: 66823 }
  dockerhub:
    title: Docker Hub
    image: mcp/dockerhub
    secrets: [{ name: dockerhub.pat_token, env: HUB_PAT_TOKEN, example: your_hub_pat_token }]
    command: ['--transport=stdio', '--username={{dockerhub.username}}', '--port={{dockerhub.port|or:3000}}']
    allowHosts: ['hub.docker.com:443', 'plain.example:80', 'db.example:5432', '*:443', 'bare.example']
    longLived: true
    config: [{ name: dockerhub, properties: { username: { type: string } } }]
  notion:
    image: mcp/notion@sha256:0000000000000000000000000000000000000000000000000000000000000002
    secrets: [{ name: notion.internal_integration_token, env: INTERNAL_INTEGRATION_TOKEN }]
    env:
      - { name: OPENAPI_MCP_HEADERS, value: '{"Authorization": "Bearer $INTERNAL_INTEGRATION_TOKEN"}' }
      - { name: LITERAL, value: 'costs ${FIVE}' }
      - { name: URL, value: '{{notion.url}}' }
      - { name: MODE, value: '{{notion.mode}}' }
      - { name: DEBUG, value: true }
    disableNetwork: true
    user: '{{notion.user}}'
    oauth: { providers: [{ provider: notion }] }
    config: [{ name: notion, properties: { mode: { type: string, default: ro } } }]
  odd_One.2:
    image: mcp/odd@sha256:0000000000000000000000000000000000000000000000000000000000000003
    disableNetwork: true
    volumes:
      - /var/run/docker.sock:/var/run/docker.sock
      - data:/data
      - /srv/logs:/logs:ro
      - /srv/out:/out:rw
      - '{{odd.log|mount_as:/log}}'
      - relative
    extraHosts: ['a:1.2.3.4']
    unheard: of
  remote:
    remote: { url: 'https://mcp.example.com/sse', transport_type: sse, headers: { Authorization: 'Bearer ${TOKEN}' } }
    oauth: { providers: [] }
  curl:
    type: poci
    tools: [{ name: curl, container: { image: alpine/curl, command: ['{{args|into}}'] } }]
  bare: {}
"#;

#[test]
fn every_member_is_carried_over_or_noted() {
    let values =
        "git: { paths: [/home/ann/a, /home/ann/b] }\nnotion: { url: 'https://x.example', user: '1000:1000' }";
    insta::assert_snapshot!(told(CATALOG, values));
}

#[test]
fn an_artifact_is_a_list_with_snapshots_and_a_choice_of_tools() {
    let artifact = r#"{
        "title": "Ours",
        "servers": [
            {
                "type": "image", "image": "mcp/git:1", "tools": ["git_log"],
                "snapshot": { "server": { "name": "git", "type": "server", "image": "mcp/git", "disableNetwork": true } }
            },
            { "type": "image", "image": "registry.example:5000/mcp/fetch:1.2" },
            { "type": "registry", "source": "https://registry.example/v0/servers/1" },
            { "type": "remote", "endpoint": "https://mcp.example.com/mcp" }
        ]
    }"#;
    insta::assert_snapshot!(told(artifact, ""));
}

#[test]
fn what_is_no_catalog_says_why() {
    for (text, why) in [
        ("", "neither a `registry`"),
        ("[1, 2]", "neither a `registry`"),
        ("registry: [a]", "neither a `registry`"),
        ("a: [", "it is not YAML"),
        ("a: &a [x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n", "neither a `registry`"),
    ] {
        let error = Catalog::parse(text).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn aliases_without_end_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    let error = Catalog::parse(&bomb).unwrap_err().to_string();
    assert!(error.contains("it is not YAML"), "{error}");
}

#[test]
fn nothing_of_a_catalog_becomes_config_but_what_it_is_for() {
    // A publisher who tries to write more than values.
    let catalog = r#"
registry:
  evil:
    description: "x\n[servers.other]\nimage = 'evil'"
    image: "mcp/evil\"\n[gateway]\nlisten = \"0.0.0.0:1\""
  twin:
    image: "a@sha256:0"
    command: ["\"]\n[gateway]\nallow-anonymous = true\n#", "\u007f${HOME}"]
    env: [{ name: "A = 'b'\nB", value: "x" }]
    disableNetwork: true
  TWIN:
    image: "b@sha256:0"
"#;
    insta::assert_snapshot!(told(catalog, ""));
}
