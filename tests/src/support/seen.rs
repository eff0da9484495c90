//! What a backend got.

use bytes::Bytes;
use http::request::Parts;
use serde::{Deserialize, Serialize};

/// One request as it arrived at a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The backend's name.
    pub backend: String,
    /// The method.
    pub method: String,
    /// The path, byte for byte.
    pub path: String,
    /// The query, byte for byte.
    pub query: Option<String>,
    /// Every header line in order, names in lower case, values as UTF-8 or else Latin-1.
    pub headers: Vec<(String, String)>,
    /// The body; in JSON as text, what is not UTF-8 replaced.
    #[serde(with = "text")]
    pub body: Bytes,
}

impl Seen {
    pub(super) fn new(backend: &str, parts: &Parts, body: Bytes) -> Self {
        let headers = parts.headers.iter();
        Self {
            backend: backend.to_owned(),
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: headers.map(|(name, value)| (name.to_string(), readable(value.as_bytes()))).collect(),
            body,
        }
    }

    /// The values of a header, one for each line.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| value.as_str()).collect()
    }

    /// The values of a header joined with `, `; `None` where it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let values = self.values(name);
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The value of a query parameter as it was written.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let pairs = self.query.as_deref()?.split('&');
        pairs.filter_map(|pair| pair.split_once('=')).find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// Bytes as UTF-8, or else as Latin-1.
pub(super) fn readable(bytes: &[u8]) -> String {
    let latin = || bytes.iter().copied().map(char::from).collect();
    str::from_utf8(bytes).map_or_else(|_| latin(), str::to_owned)
}

mod text {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&String::from_utf8_lossy(body))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        String::deserialize(deserializer).map(Bytes::from)
    }
}
