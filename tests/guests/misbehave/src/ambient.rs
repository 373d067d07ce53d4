//! What a guest can learn from its surroundings without asking for a grant.

use std::io::{IsTerminal, Read};
use std::time::{Duration, SystemTime};

use wasip2::clocks::monotonic_clock;
use wasip2::random::random;

use crate::{Component, Seen, exported::ambient::Guest};

/// A call that does nothing is younger.
const YOUNG: Duration = Duration::from_millis(500);

impl Guest for Component {
    fn environment() -> Seen {
        let mut variables: Vec<_> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
        variables.sort_unstable();
        Ok(variables.join("\n"))
    }

    fn arguments() -> Seen {
        Ok(std::env::args().collect::<Vec<_>>().join("\n"))
    }

    fn working_directory() -> Seen {
        Ok(wasip2::cli::environment::initial_cwd().unwrap_or_default())
    }

    fn stdin() -> Seen {
        let mut input = String::new();
        std::io::stdin().read_to_string(&mut input).map_err(|error| error.to_string())?;
        Ok(input)
    }

    fn terminals() -> Seen {
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        Ok(format!("{} {} {}", stdin.is_terminal(), stdout.is_terminal(), stderr.is_terminal()))
    }

    fn wall_clock() -> Result<u64, String> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.map(|since| since.as_secs()).map_err(|error| error.to_string())
    }

    fn monotonic_clock() -> Result<u64, String> {
        Ok(monotonic_clock::now())
    }

    fn clock_origin() -> Seen {
        match Duration::from_nanos(monotonic_clock::now()) {
            since if since < YOUNG => Ok("it began with the call".to_owned()),
            since => Ok(format!("it began {} s before the call", since.as_secs())),
        }
    }

    #[allow(clippy::disallowed_methods, reason = "that is the attack")]
    fn swap_variable(name: String, value: String) -> Seen {
        let before = std::env::var(&name).unwrap_or_default();
        // SAFETY: there is one thread.
        unsafe { std::env::set_var(name, value) };
        Ok(before)
    }

    fn random() -> Result<u64, String> {
        Ok(random::get_random_u64())
    }
}
