//! Which keys a command is about.

use std::io::Read;

use clap::Args;
use faregate_core::api_key::{KEY_BYTES_MAX, KeyHash};
use faregate_engine::ports::KeyAdmin;
use serde_json::{Map, Value};

use super::view::text;
use crate::error::CliError;

/// Fewest hexadecimal digits that name a key.
const PREFIX_DIGITS_MIN: usize = 8;
/// How many of a consumer's keys are named where one is meant.
const NAMED_MAX: usize = 20;

/// One key: by its hash, by the secret on standard input, or by its consumer if that has no other. A secret is never an
/// argument, since arguments are everybody's to read.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct OneKey {
    /// The first 8 to 64 hexadecimal digits of the key's hash
    #[arg(value_name = "HASH")]
    hash: Option<String>,
    /// Read the key itself from standard input
    #[arg(long)]
    key_stdin: bool,
    /// The one key of this consumer
    #[arg(long)]
    consumer: Option<String>,
}

/// One key, or all keys of a consumer.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct SomeKeys {
    /// The first 8 to 64 hexadecimal digits of the key's hash
    #[arg(value_name = "HASH")]
    hash: Option<String>,
    /// Read the key itself from standard input
    #[arg(long)]
    key_stdin: bool,
    /// All keys of this consumer
    #[arg(long)]
    consumer: Option<String>,
}

/// A key that exists.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its hash.
    pub(crate) hash: KeyHash,
    /// Its item.
    pub(crate) item: Map<String, Value>,
}

impl OneKey {
    /// Looks the key up.
    ///
    /// # Errors
    ///
    /// [`CliError::NotFound`], and [`CliError::Usage`] for a prefix that is none or fits several, and for a consumer that
    /// has several keys.
    pub(crate) async fn find(&self, keys: &dyn KeyAdmin) -> Result<Found, CliError> {
        let Some(consumer) = &self.consumer else { return one(self.hash.as_deref(), keys).await };
        let mut found = of_consumer(keys, consumer).await?;
        match (found.pop(), found.len()) {
            (Some(only), 0) => Ok(only),
            (last, _) => {
                found.extend(last);
                Err(CliError::Usage(several(consumer, &found)))
            }
        }
    }
}

impl SomeKeys {
    /// Looks the keys up; never an empty list. `yes` stands for the operator's consent to several keys.
    ///
    /// # Errors
    ///
    /// [`CliError::NotFound`], and [`CliError::Usage`] for a whole consumer without consent.
    pub(crate) async fn find(self, keys: &dyn KeyAdmin, yes: bool) -> Result<Vec<Found>, CliError> {
        let Some(consumer) = self.consumer else { return Ok(vec![one(self.hash.as_deref(), keys).await?]) };
        if !yes {
            return Err(CliError::Usage(format!("this is about every key of {consumer}; say so with --yes")));
        }
        of_consumer(keys, &consumer).await
    }
}

/// The key with this hash, or the one on standard input.
async fn one(hash: Option<&str>, keys: &dyn KeyAdmin) -> Result<Found, CliError> {
    match hash {
        Some(prefix) => by_prefix(keys, prefix).await,
        None => by_secret(keys, &read_key(std::io::stdin().lock())?).await,
    }
}

/// Every key of a consumer; never an empty list.
async fn of_consumer(keys: &dyn KeyAdmin, consumer: &str) -> Result<Vec<Found>, CliError> {
    let items = keys.list(Some(consumer)).await?;
    let found: Vec<Found> = items.into_iter().filter_map(found).collect();
    if found.is_empty() {
        return Err(CliError::NotFound(format!("{consumer} has no key")));
    }
    Ok(found)
}

/// What to do where one key is meant, and the consumer has these.
fn several(consumer: &str, keys: &[Found]) -> String {
    let mut hashes: Vec<&str> = keys.iter().map(|found| found.hash.short()).collect();
    hashes.sort_unstable();
    let number = hashes.len();
    hashes.truncate(NAMED_MAX);
    let more = if number > NAMED_MAX { format!(" and {} more", number - NAMED_MAX) } else { String::new() };
    format!("{consumer} has {number} keys; name one by its hash: {}{more}", hashes.join(", "))
}

/// Reads an API key: all of the input but a line break at its end.
///
/// # Errors
///
/// [`CliError::Usage`] for nothing, and for more than any key can be.
pub(crate) fn read_key(input: impl Read) -> Result<Vec<u8>, CliError> {
    let key = read_secret(input, KEY_BYTES_MAX)?;
    match key.len() {
        0 => Err(CliError::Usage("there is no key on standard input".to_owned())),
        length if length > KEY_BYTES_MAX => Err(CliError::Usage(format!("a key has at most {KEY_BYTES_MAX} bytes"))),
        _ => Ok(key),
    }
}

/// Reads all of the input but a line break at its end; of what is longer than `bytes_max` only a little more than that.
///
/// # Errors
///
/// [`CliError::File`].
pub(crate) fn read_secret(input: impl Read, bytes_max: usize) -> Result<Vec<u8>, CliError> {
    let mut secret = Vec::new();
    let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(3);
    let read = input.take(bound).read_to_end(&mut secret);
    read.map_err(|cause| CliError::File { name: "standard input".to_owned(), cause })?;
    if secret.ends_with(b"\n") {
        secret.pop();
    }
    if secret.ends_with(b"\r") {
        secret.pop();
    }
    Ok(secret)
}

async fn by_secret(keys: &dyn KeyAdmin, secret: &[u8]) -> Result<Found, CliError> {
    let hash = KeyHash::of(secret);
    let item = keys.get(&hash).await?;
    let item = item.ok_or_else(|| CliError::NotFound(format!("there is no key with the hash {}", hash.short())))?;
    Ok(Found { hash, item })
}

async fn by_prefix(keys: &dyn KeyAdmin, prefix: &str) -> Result<Found, CliError> {
    let prefix = prefix.to_ascii_lowercase();
    let is_hex = prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !(PREFIX_DIGITS_MIN..=64).contains(&prefix.len()) {
        return Err(CliError::Usage(format!(
            "a hash is named by {PREFIX_DIGITS_MIN} to 64 of its hexadecimal digits; a secret is given with --key-stdin"
        )));
    }
    let not_found = || CliError::NotFound(format!("there is no key whose hash begins with {prefix}"));
    if let Some(hash) = KeyHash::parse(&prefix) {
        let item = keys.get(&hash).await?.ok_or_else(not_found)?;
        return Ok(Found { hash, item });
    }
    let mut all = keys.list(None).await?;
    all.retain(|item| text(item, "key_hash").starts_with(&prefix));
    let mut fitting = all.into_iter().filter_map(found);
    match (fitting.next(), fitting.count()) {
        (None, _) => Err(not_found()),
        (Some(found), 0) => Ok(found),
        (Some(_), others) => {
            Err(CliError::Usage(format!("{} keys have hashes that begin with {prefix}; give more digits", others + 1)))
        }
    }
}

fn found(item: Map<String, Value>) -> Option<Found> {
    KeyHash::parse(text(&item, "key_hash")).map(|hash| Found { hash, item })
}

#[cfg(test)]
mod tests {
    use faregate_core::api_key::KeyHash;
    use serde_json::Map;

    use super::{Found, read_key, several};

    #[test]
    fn of_a_consumers_many_keys_some_are_named() {
        let found = |number: u8| Found { hash: KeyHash::of(&[number]), item: Map::new() };
        let keys: Vec<Found> = (0..23).map(found).collect();
        let few = several("acme", &keys[..2]);
        assert!(few.starts_with("acme has 2 keys; name one by its hash: ") && !few.ends_with("more"), "{few}");
        let named = keys[..2].iter().all(|found| few.contains(found.hash.short()));
        assert!(named, "{few}");
        let many = several("acme", &keys);
        assert!(many.ends_with(" and 3 more") && many.matches(", ").count() == 19, "{many}");
    }

    #[test]
    fn a_key_is_all_of_the_input_but_its_last_line_break() {
        for (input, secret) in [("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc"), (" a\n\n", " a\n")] {
            assert_eq!(read_key(input.as_bytes()).expect("a key"), secret.as_bytes());
        }
        for input in [String::new(), "\n".to_owned(), "x".repeat(513)] {
            assert!(read_key(input.as_bytes()).is_err());
        }
        assert!(read_key("x".repeat(512).as_bytes()).is_ok());
    }
}
