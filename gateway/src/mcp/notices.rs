//! What a client wants to hear while its call runs, and the notifications that tell it.
//!
//! Progress is wanted by a token in the request. Log messages are wanted from a level on, which
//! stateless requests carry and sessions set once (see [`Levels`]). What is told stays the text that it
//! is, but for the token, which is the client's own.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use serde_json::value::RawValue;
use tokio::sync::mpsc;
use toolgate_runtime::notice::{Level, Notice, Notices};

use super::params::{Meta, Params, text};
use super::revision::Revision;
use super::session::SessionId;
use crate::error::Error;
use crate::json::{Members, offset, raw};
use crate::pipeline::Call;

/// Bytes of a client's progress token. Against answers inflated by what they repeat.
const MAX_TOKEN: usize = 256;

/// Sessions whose level is kept. Against memory filled by sessions that set one; past it, some other
/// session hears nothing more.
const MAX_LEVELS: usize = 65_536;

/// The member that tells whose progress it is.
const TOKEN: &str = "progressToken";

/// What the client of a call wants to hear.
#[derive(Debug, Default)]
pub struct Wish {
    /// A string or an integer, as JSON text.
    token: Option<Box<RawValue>>,
    level: Option<Level>,
}

/// What comes of a [`Wish`] while its call runs, and what its client is asked.
#[derive(Debug, Default)]
pub struct Heard {
    token: Option<Box<RawValue>>,
    reader: Option<mpsc::Receiver<Notice>>,
    questions: Option<mpsc::Receiver<Vec<u8>>>,
}

impl Wish {
    /// What a request wishes for; `level` is that of its session.
    ///
    /// # Errors
    /// [`Error::InvalidParams`] for a token that is none, or a level that does not exist.
    pub fn of(params: &Params<'_>, revision: Revision, level: Option<Level>) -> Result<Self, Error> {
        let meta = params.meta()?;
        let level = if revision.is_stateless() { of_request(meta)? } else { level };
        Ok(Self { token: meta.progress_token.map(token).transpose()?, level })
    }

    /// Lets the call tell what is wished for; `None` where that is nothing.
    pub fn open(self, call: &mut Call) -> Option<Heard> {
        if self.token.is_none() && self.level.is_none() {
            return None;
        }
        let (notices, reader) = Notices::wanted(self.token.is_some(), self.level);
        call.notices = Some(notices);
        Some(Heard { token: self.token, reader: Some(reader), questions: None })
    }
}

impl Heard {
    /// The same and these requests to the client.
    #[must_use]
    pub fn and_questions(self, questions: mpsc::Receiver<Vec<u8>>) -> Self {
        Self { questions: Some(questions), ..self }
    }

    /// The next notification or request, a JSON-RPC message; never, once the call has ended.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Vec<u8>> {
        if let Poll::Ready(Some(notice)) = poll(&mut self.reader, cx) {
            return Poll::Ready(self.written(&notice));
        }
        match poll(&mut self.questions, cx) {
            Poll::Ready(Some(question)) => Poll::Ready(question),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// The next notification that was told already.
    pub fn told(&mut self) -> Option<Vec<u8>> {
        let notice = self.reader.as_mut()?.try_recv().ok()?;
        Some(self.written(&notice))
    }

    fn written(&self, notice: &Notice) -> Vec<u8> {
        let mut out = br#"{"jsonrpc":"2.0","method":"notifications/"#.to_vec();
        match (notice, &self.token) {
            (Notice::Progress(params), Some(token)) => {
                raw(&mut out, r#"progress","params":"#);
                with_token(&mut out, params, token);
            }
            (Notice::Progress(params), None) => {
                raw(&mut out, r#"progress","params":"#);
                raw(&mut out, params.get());
            }
            (Notice::Log(params), _) => {
                raw(&mut out, r#"message","params":"#);
                raw(&mut out, params.get());
            }
        }
        out.push(b'}');
        out
    }
}

fn poll<T>(reader: &mut Option<mpsc::Receiver<T>>, cx: &mut Context<'_>) -> Poll<Option<T>> {
    match reader {
        Some(reader) => reader.poll_recv(cx),
        None => Poll::Pending,
    }
}

/// The parameters with the client's token in place of ours.
fn with_token(out: &mut Vec<u8>, params: &RawValue, token: &RawValue) {
    let mut rest = params.get();
    let Members(members) = serde_json::from_str(rest).unwrap_or_default();
    for (_, value) in members.iter().filter(|(name, _)| name == TOKEN) {
        let at = offset(value, rest);
        raw(out, &rest[..at]);
        raw(out, token.get());
        rest = &rest[at + value.get().len()..];
    }
    raw(out, rest);
}

fn token(raw: &RawValue) -> Result<Box<RawValue>, Error> {
    let json = raw.get();
    let is_integer = || json.strip_prefix('-').unwrap_or(json).bytes().all(|byte| byte.is_ascii_digit());
    if (json.starts_with('"') || is_integer()) && json.len() <= MAX_TOKEN {
        return Ok(raw.to_owned());
    }
    let what = format!("`{TOKEN}` must be a string or an integer, of up to {MAX_TOKEN} bytes");
    Err(Error::InvalidParams(what))
}

fn of_request(meta: &Meta<'_>) -> Result<Option<Level>, Error> {
    meta.log_level.map(level).transpose()
}

/// The level that a JSON text names.
///
/// # Errors
/// [`Error::InvalidParams`] if there is none of that name.
pub fn level(raw: &RawValue) -> Result<Level, Error> {
    let name = text(raw).unwrap_or(Cow::Borrowed(""));
    Level::parse(&name).ok_or_else(|| {
        let all = Level::ALL.map(Level::as_str).join(", ");
        Error::InvalidParams(format!("the log level must be one of {all}"))
    })
}

/// The level that each session has set. It is known to this replica alone, for the session's token can't
/// change.
#[derive(Debug, Default)]
pub struct Levels(Mutex<HashMap<SessionId, Level>>);

impl Levels {
    /// That of a session; `None` until it sets one, and then it hears nothing.
    #[must_use]
    pub fn get(&self, session: SessionId) -> Option<Level> {
        self.all().get(&session).copied()
    }

    /// Sets it.
    pub fn set(&self, session: SessionId, level: Level) {
        let mut all = self.all();
        if all.len() >= MAX_LEVELS && !all.contains_key(&session) {
            let other = all.keys().next().copied();
            other.map(|other| all.remove(&other));
        }
        all.insert(session, level);
    }

    /// Forgets a session that has ended.
    pub fn forget(&self, session: SessionId) {
        self.all().remove(&session);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<SessionId, Level>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn json(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn wish(meta: &str, revision: Revision, level: Option<Level>) -> Result<Wish, Error> {
        let params = json(&format!("{{\"_meta\":{meta}}}"));
        Wish::of(&Params::parse(Some(&params)).unwrap(), revision, level)
    }

    #[test]
    fn only_the_token_is_another() {
        for (theirs, ours) in [
            (
                r#"{"progressToken":7,"progress":0.50,"x":[1e400]}"#,
                r#"{"progressToken":"a","progress":0.50,"x":[1e400]}"#,
            ),
            (r#"{ "progress": 1 , "progressToken" : 7 }"#, r#"{ "progress": 1 , "progressToken" : "a" }"#),
            (
                r#"{"progressToken":7,"progress\u0054oken":7}"#,
                r#"{"progressToken":"a","progress\u0054oken":"a"}"#,
            ),
            (r#"{"inner":{"progressToken":7}}"#, r#"{"inner":{"progressToken":7}}"#),
        ] {
            let mut out = Vec::new();
            with_token(&mut out, &json(theirs), &json("\"a\""));
            assert_eq!(String::from_utf8(out).unwrap(), ours);
        }
    }

    #[test]
    fn a_token_is_a_string_or_an_integer() {
        for good in ["\"a\"", "0", "-7", "18446744073709551616"] {
            let wish = wish(&format!("{{\"progressToken\":{good}}}"), Revision::V2025_06_18, None);
            assert_eq!(wish.unwrap().token.unwrap().get(), good);
        }
        let long = format!("\"{}\"", "x".repeat(MAX_TOKEN));
        for bad in ["null", "1.5", "{}", "[]", "true", "1e3", &long] {
            let error = wish(&format!("{{\"progressToken\":{bad}}}"), Revision::V2025_06_18, None);
            assert!(matches!(error, Err(Error::InvalidParams(_))), "{bad}");
        }
    }

    #[test]
    fn a_level_is_that_of_the_request_or_that_of_the_session() {
        let asked = r#"{"io.modelcontextprotocol/logLevel":"warning"}"#;
        let level = |meta, revision| wish(meta, revision, Some(Level::Info)).unwrap().level;
        assert_eq!(level(asked, Revision::V2026_07_28), Some(Level::Warning));
        assert_eq!(level("{}", Revision::V2026_07_28), None);
        assert_eq!(level(asked, Revision::V2025_06_18), Some(Level::Info));
        let loud = r#"{"io.modelcontextprotocol/logLevel":"loud"}"#;
        assert!(matches!(wish(loud, Revision::V2026_07_28, None), Err(Error::InvalidParams(_))));
    }

    #[test]
    fn levels_of_sessions_are_bounded() {
        let levels = Levels::default();
        for id in 0..=MAX_LEVELS as u128 {
            levels.set(id.to_be_bytes(), Level::Info);
        }
        assert_eq!(levels.all().len(), MAX_LEVELS);
        let last = (MAX_LEVELS as u128).to_be_bytes();
        assert_eq!(levels.get(last), Some(Level::Info));
        levels.forget(last);
        assert_eq!(levels.get(last), None);
    }
}
