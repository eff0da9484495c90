//! Response headers in JSON, read from where they are. `content-length` is left out: it is the platform's to give.

use std::fmt::{self, Display, Write};

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_LENGTH, GetAll, SET_COOKIE},
};
use serde::{Serialize, Serializer};

/// One text per name, repeated values joined with `, ` (RFC 9110 §5.3). Cookies cannot be joined.
pub(super) struct Joined<'a> {
    headers: &'a HeaderMap,
    cookie: Option<&'a HeaderValue>,
}

impl<'a> Joined<'a> {
    /// All but `set-cookie`.
    pub(super) fn without_cookies(headers: &'a HeaderMap) -> Self {
        Self { headers, cookie: None }
    }

    /// Of several cookies the last, where there is room for one value per name only.
    pub(super) fn with_last_cookie(headers: &'a HeaderMap) -> Self {
        Self { headers, cookie: headers.get_all(SET_COOKIE).into_iter().next_back() }
    }
}

impl Serialize for Joined<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = names(self.headers).filter(|name| *name != SET_COOKIE);
        let joined = names.map(|name| (name.as_str(), Text::Joined(self.headers.get_all(name))));
        let cookie = self.cookie.map(|cookie| (SET_COOKIE.as_str(), Text::One(cookie)));
        serializer.collect_map(joined.chain(cookie))
    }
}

/// All values of every name.
pub(super) struct Repeated<'a>(pub(super) &'a HeaderMap);

impl Serialize for Repeated<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(names(self.0).map(|name| (name.as_str(), Values(self.0.get_all(name)))))
    }
}

/// The values of `set-cookie`.
pub(super) struct Cookies<'a>(pub(super) &'a HeaderMap);

impl Serialize for Cookies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Values(self.0.get_all(SET_COOKIE)).serialize(serializer)
    }
}

fn names(headers: &HeaderMap) -> impl Iterator<Item = &HeaderName> {
    headers.keys().filter(|name| *name != CONTENT_LENGTH)
}

struct Values<'a>(GetAll<'a, HeaderValue>);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Text::One))
    }
}

/// Values as text: Latin-1, since JSON has no bytes.
enum Text<'a> {
    One(&'a HeaderValue),
    Joined(GetAll<'a, HeaderValue>),
}

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(value) => write_latin1(value, f),
            Self::Joined(values) => values.iter().enumerate().try_for_each(|(index, value)| {
                f.write_str(if index == 0 { "" } else { ", " })?;
                write_latin1(value, f)
            }),
        }
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn write_latin1(value: &HeaderValue, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value.to_str() {
        Ok(text) => f.write_str(text),
        Err(_) => value.as_bytes().iter().try_for_each(|byte| f.write_char(char::from(*byte))),
    }
}
