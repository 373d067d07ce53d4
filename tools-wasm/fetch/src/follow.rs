//! Following redirects.
//!
//! Each hop is a request of its own, so that the host's policy judges each address; the guest only
//! bounds how many there are.

use crate::url::Url;

/// Redirects followed for one fetch. Against loops, and against chains that use up the deadline.
pub const MAX_REDIRECTS: usize = 5;

/// What a server answered, with the body as far as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The value of `location`.
    pub location: Option<String>,
    /// The value of `content-type`, empty if there is none.
    pub content_type: String,
    /// The body, at most as long as [`crate::page::MAX_BODY`].
    pub body: Vec<u8>,
    /// Whether the body was longer.
    pub truncated: bool,
}

impl Reply {
    /// Whether the status sends the reader elsewhere.
    pub fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }
}

/// Sends a GET, and further ones as long as the answer is a redirect. Gives the last answer and
/// where it came from.
///
/// # Errors
/// What `send` reports, with the address; or that there is no end of redirects, or no target.
pub fn follow(
    start: Url,
    mut send: impl FnMut(&Url) -> Result<Reply, String>,
) -> Result<(Url, Reply), String> {
    let mut url = start;
    for hop in 0..=MAX_REDIRECTS {
        let reply = send(&url).map_err(|error| explain(&url, hop, &error))?;
        if !reply.is_redirect() {
            return Ok((url, reply));
        }
        let location = reply
            .location
            .ok_or_else(|| format!("{url} answered {} without saying where to go", reply.status))?;
        url = url.join(&location).ok_or_else(|| format!("{url} redirects to what can't be fetched"))?;
    }
    Err(format!("gave up after {MAX_REDIRECTS} redirects; the last one led to {url}"))
}

fn explain(url: &Url, hop: usize, error: &str) -> String {
    if hop == 0 {
        format!("can't fetch {url}: {error}")
    } else {
        format!("can't follow the redirect to {url}: {error}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

    use super::*;

    fn reply(status: u16, location: Option<&str>) -> Reply {
        Reply {
            status,
            location: location.map(str::to_owned),
            content_type: String::new(),
            body: Vec::new(),
            truncated: false,
        }
    }

    fn start() -> Url {
        Url::parse("https://a.example/x/y").unwrap()
    }

    #[test]
    fn relative_and_absolute_redirects_are_followed() {
        let mut asked = Vec::new();
        let (url, last) = follow(start(), |url| {
            asked.push(url.to_string());
            Ok(match asked.len() {
                1 => reply(302, Some("../z")),
                2 => reply(308, Some("http://b.example/")),
                _ => reply(404, None),
            })
        })
        .unwrap();
        assert_eq!(asked, ["https://a.example/x/y", "https://a.example/z", "http://b.example/"]);
        assert_eq!((url.authority.as_str(), last.status), ("b.example", 404));
    }

    #[test]
    fn a_loop_of_redirects_ends() {
        let mut sent = 0;
        let error = follow(start(), |_| {
            sent += 1;
            Ok(reply(301, Some("/again")))
        })
        .unwrap_err();
        assert_eq!(sent, MAX_REDIRECTS + 1);
        assert!(error.contains("gave up after 5 redirects"), "{error}");
    }

    #[test]
    fn a_redirect_that_leads_nowhere_is_an_error() {
        assert!(follow(start(), |_| Ok(reply(302, None))).unwrap_err().contains("without saying where"));
        let error = follow(start(), |_| Ok(reply(302, Some("file:///etc/passwd")))).unwrap_err();
        assert!(error.contains("can't be fetched"), "{error}");
    }

    #[test]
    fn a_denied_redirect_names_its_target() {
        let error = follow(start(), |url| match url.authority.as_str() {
            "a.example" => Ok(reply(302, Some("http://169.254.169.254/secrets"))),
            _ => Err("denied".to_owned()),
        })
        .unwrap_err();
        assert_eq!(error, "can't follow the redirect to http://169.254.169.254/secrets: denied");
    }

    #[test]
    fn not_modified_and_multiple_choices_are_no_redirects() {
        assert!(!reply(304, Some("/")).is_redirect());
        assert!(!reply(300, Some("/")).is_redirect());
    }
}
