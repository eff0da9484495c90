//! Ids of entries.

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id begins with a lower-case letter or a digit and goes on with up to 63 of a-z 0-9 . _ -")]
pub struct InvalidId;

/// Checks an id of any kind: `[a-z0-9][a-z0-9._-]{0,63}`.
///
/// # Errors
///
/// [`InvalidId`] for any other text.
pub fn check_id(id: &str) -> Result<(), InvalidId> {
    let mut bytes = id.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let rest = bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte));
    if first && rest && id.len() <= 64 { Ok(()) } else { Err(InvalidId) }
}

#[cfg(test)]
mod tests {
    use super::check_id;

    #[test]
    fn ids_are_short_lower_case_words() {
        let longest = "a".repeat(64);
        for id in ["a", "0", "orders-v2", "a.b_c", &longest] {
            assert!(check_id(id).is_ok(), "{id}");
        }
        let too_long = "a".repeat(65);
        for id in ["", "-a", ".a", "A", "a b", "a:b", "é", &too_long] {
            assert!(check_id(id).is_err(), "{id}");
        }
    }
}
