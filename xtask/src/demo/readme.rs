//! The README's tour, as far as it can be followed without a person: its config is one that the
//! gateway takes, with the tools that the demo has published.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::layout;
use crate::process::{self, Failure, Result};

/// The line of the tour that opens the config, and the one that closes it.
const OPEN: &str = "cat > toolgate.toml <<'EOF'\n";
const CLOSE: &str = "\nEOF\n";

/// Checks the config of the tour by `toolgate check`, beside the demo's registry. Comes after the demo.
pub(crate) fn check(toolgate: &Path) -> Result<()> {
    let readme = layout::root().join("README.md");
    let text = fs::read_to_string(&readme).map_err(|e| at(&readme, &e))?;
    let config = config(&text)
        .ok_or_else(|| Failure::new("the README has no config between `cat > toolgate.toml` and `EOF`"))?;
    let file = layout::demo().join("readme.toml");
    fs::write(&file, config).map_err(|e| at(&file, &e))?;
    let mut check = Command::new(toolgate);
    check.args(["check", "--config"]).arg(&file).env("TOOLGATE_STATE_DIR", layout::demo().join("state"));
    process::capture(&mut check).map(drop)
}

/// The config that the tour writes.
fn config(readme: &str) -> Option<&str> {
    let (_, rest) = readme.split_once(OPEN)?;
    rest.split_once(CLOSE).map(|(config, _)| config)
}

fn at(path: &Path, cause: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {cause}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::config;

    #[test]
    fn the_tour_has_a_config_of_servers() {
        let config = config(include_str!("../../../README.md")).unwrap();
        assert!(config.starts_with("[servers."), "{config}");
        assert_eq!(super::config("no tour"), None);
    }
}
