# Every recipe is one command that also works without just.

# List the recipes.
default:
    @just --list

# Build, publish, serve and call the tools, then serve until Ctrl-C.
demo *args:
    cargo xtask demo {{args}}

# Everything that must hold; ends with `N passed, N failed`.
test *args:
    cargo xtask test {{args}}

# Fuzz the parsers of what outsiders send.
fuzz *args:
    cargo xtask fuzz {{args}}

# Measure cold start and calls.
bench *args:
    cargo xtask bench {{args}}

# Format all workspaces.
fmt:
    cargo fmt --all
    cargo fmt --all --manifest-path tools-wasm/Cargo.toml
    cargo fmt --all --manifest-path tests/guests/Cargo.toml
    cargo fmt --all --manifest-path tests/images/Cargo.toml

# clippy on all workspaces, warnings denied.
lint:
    cargo xtask test --only clippy

# The API docs, links checked.
doc:
    cargo xtask test --only doc
