//! The secret string itself.

use std::fmt;

use sha2::{Digest, Sha256};

/// A longer API key is refused unread.
pub const KEY_BYTES_MAX: usize = 512;

const PREFIX: &str = "fg_";
const RANDOM_DIGITS: usize = 32;
const CHECKSUM_DIGITS: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// SHA-256 of an API key; the only form in which one is stored.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyHash(Box<str>);

impl KeyHash {
    /// Hashes a key as `printf %s KEY | sha256sum` does.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Takes 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hash = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_hash.then(|| Self(text.into()))
    }

    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits: enough to tell keys apart in logs and headers.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({}…)", self.short())
    }
}

/// A key of Faregate's own shape whose checksum is wrong: no item can have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is mistyped: its checksum does not fit")]
pub struct Mistyped;

/// Tells a mistyped key without a look into the table. Keys of any other shape pass.
///
/// # Errors
///
/// [`Mistyped`] for `fg_` and 38 base62 digits of which the last six are not the CRC-32 of the rest.
pub fn screen(key: &[u8]) -> Result<(), Mistyped> {
    let Some(digits) = key.strip_prefix(PREFIX.as_bytes()) else { return Ok(()) };
    if digits.len() != RANDOM_DIGITS + CHECKSUM_DIGITS || !digits.iter().all(u8::is_ascii_alphanumeric) {
        return Ok(());
    }
    let (random, checksum) = digits.split_at(RANDOM_DIGITS);
    if checksum_of(random) == checksum { Ok(()) } else { Err(Mistyped) }
}

/// A new key from 32 uniformly drawn digits: `digit` yields numbers below 62.
pub fn generate(mut digit: impl FnMut() -> u8) -> String {
    let random: Vec<u8> = (0..RANDOM_DIGITS).map(|_| BASE62[usize::from(digit() % 62)]).collect();
    let checksum = checksum_of(&random);
    PREFIX.chars().chain(random.iter().chain(&checksum).map(|byte| char::from(*byte))).collect()
}

/// Six base62 digits, most significant first, of the CRC-32 of the random digits.
fn checksum_of(random: &[u8]) -> [u8; CHECKSUM_DIGITS] {
    let mut rest = crc32fast::hash(random);
    let mut digits = [b'0'; CHECKSUM_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::{KeyHash, Mistyped, generate, screen};

    #[test]
    fn a_generated_key_passes_and_any_other_digit_is_noticed() {
        let mut next = 0;
        let key = generate(|| {
            next += 7;
            next % 62
        });
        assert_eq!(key.len(), 41);
        assert_eq!(screen(key.as_bytes()), Ok(()));
        for position in 3..key.len() {
            let mut wrong = key.clone().into_bytes();
            wrong[position] = if wrong[position] == b'x' { b'y' } else { b'x' };
            assert_eq!(screen(&wrong), Err(Mistyped), "digit {position}");
        }
    }

    #[test]
    fn keys_of_other_shapes_pass() {
        for key in
            ["", "fg_", "fg_short", "sk-0123", "fg_éééééééééééééééééééé", "0123456789012345678901234567890123456789x"]
        {
            assert_eq!(screen(key.as_bytes()), Ok(()), "{key}");
        }
    }

    #[test]
    fn the_hash_is_what_sha256sum_prints() {
        let hash = KeyHash::of(b"abc");
        assert_eq!(hash.as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(KeyHash::parse(hash.as_str()), Some(hash));
        assert_eq!(KeyHash::parse("BA78"), None);
    }
}
