//! Randomness of the operating system.

use faregate_core::api_key;

use crate::error::CliError;

/// How many random digits a key has at most; more are drawn at once than are needed.
const BYTES_AT_ONCE: usize = 64;

/// A new API key, each of its digits uniform.
///
/// # Errors
///
/// [`CliError::Failed`] where the operating system has no randomness.
pub(crate) fn api_key() -> Result<String, CliError> {
    let mut digits = Vec::with_capacity(BYTES_AT_ONCE);
    while digits.len() < BYTES_AT_ONCE {
        let mut bytes = [0; BYTES_AT_ONCE];
        fill(&mut bytes)?;
        digits.extend(bytes.into_iter().filter_map(digit));
    }
    let mut digits = digits.into_iter();
    // The key takes half of them; were it ever to take more than all, it would get no predictable ones.
    let key = api_key::generate(|| digits.next().unwrap_or_default());
    if digits.len() == 0 { Err(CliError::Failed("too few random digits".to_owned())) } else { Ok(key) }
}

/// A name that no other process has.
///
/// # Errors
///
/// [`CliError::Failed`] where the operating system has no randomness.
pub(crate) fn holder() -> Result<String, CliError> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Ok(bytes.iter().fold("cli-".to_owned(), |name, byte| name + &format!("{byte:02x}")))
}

#[allow(clippy::disallowed_methods, reason = "the composition root's randomness; a failure must end the command")]
fn fill(bytes: &mut [u8]) -> Result<(), CliError> {
    getrandom::fill(bytes).map_err(|error| CliError::Failed(format!("no randomness: {error}")))
}

/// A digit below 62 from a uniform byte; 248 and above would favour the first ones.
fn digit(byte: u8) -> Option<u8> {
    (byte < 248).then_some(byte % 62)
}

#[cfg(test)]
mod tests {
    use faregate_core::api_key::screen;

    use super::{api_key, digit, holder};

    #[test]
    fn every_digit_comes_from_as_many_bytes() {
        let mut counts = [0; 62];
        (0..=u8::MAX).filter_map(digit).for_each(|digit| counts[usize::from(digit)] += 1);
        assert!(counts.iter().all(|count| *count == 4));
    }

    #[test]
    fn keys_and_holders_are_never_twice_the_same() {
        let key = api_key().expect("a key");
        assert!(screen(key.as_bytes()).is_ok() && key.len() == 41);
        assert_ne!(key, api_key().expect("a key"));
        assert_ne!(holder().expect("a name"), holder().expect("a name"));
    }
}
