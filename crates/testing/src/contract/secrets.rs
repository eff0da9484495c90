//! `Secrets`.

use faregate_core::secret::SecretRef;
use faregate_engine::ports::{SecretError, Secrets};

/// Makes a test of each promise of [`Secrets`].
///
/// The argument is an async function that yields a [`Subject`](super::Subject) of `dyn SecretStore`, whose
/// secrets may be inline.
#[macro_export]
macro_rules! secrets_contract {
    ($start:path) => {
        $crate::contract_tests!(
            secrets,
            $start;
            a_secret_is_read_by_name,
            an_empty_secret_is_an_error,
            an_absent_secret_is_unavailable_by_name,
            an_inline_secret_is_its_own_value,
            a_refreshed_secret_is_the_same_as_a_read_one,
            no_text_carries_the_value,
        );
    };
}

/// Secrets together with the store that they are read from.
pub trait SecretStore: Send + Sync {
    /// What is under test.
    fn secrets(&self) -> &dyn Secrets;
    /// Sets a parameter; it may be empty.
    fn set(&self, name: &str, value: &str);
}

fn ssm(name: &str) -> SecretRef {
    SecretRef::Ssm(name.to_owned())
}

/// A parameter's value is read by its name.
pub async fn a_secret_is_read_by_name(store: &dyn SecretStore) {
    store.set("/faregate/a", "value a");
    store.set("/faregate/b", "välue b");
    for (name, value) in [("/faregate/a", "value a"), ("/faregate/b", "välue b")] {
        let read = store.secrets().read(&ssm(name)).await.expect("a value");
        assert!(read.matches(value.as_bytes()), "{name}");
    }
}

/// A parameter that is not there cannot be read; the error has its name.
pub async fn an_absent_secret_is_unavailable_by_name(store: &dyn SecretStore) {
    let read = store.secrets().read(&ssm("/faregate/absent")).await;
    let Err(SecretError::Unavailable { name, cause }) = &read else { panic!("{read:?}") };
    assert_eq!(name, "/faregate/absent");
    assert!(!cause.is_empty());
}

/// An empty value is an error, never an empty secret.
pub async fn an_empty_secret_is_an_error(store: &dyn SecretStore) {
    store.set("/faregate/empty", "");
    let read = store.secrets().read(&ssm("/faregate/empty")).await;
    assert_eq!(read.err(), Some(SecretError::Empty("/faregate/empty".to_owned())));
    let inline = store.secrets().read(&SecretRef::Inline(String::new())).await;
    assert!(matches!(inline, Err(SecretError::Empty(_))), "{inline:?}");
}

/// What does not change is the same when it is read anew.
pub async fn a_refreshed_secret_is_the_same_as_a_read_one(store: &dyn SecretStore) {
    store.set("/faregate/a", "value a");
    assert!(store.secrets().read(&ssm("/faregate/a")).await.expect("a value").matches(b"value a"));
    assert!(store.secrets().refresh(&ssm("/faregate/a")).await.expect("a value").matches(b"value a"));
    assert!(store.secrets().refresh(&ssm("/faregate/absent")).await.is_err());
}

/// An inline secret is the value itself.
pub async fn an_inline_secret_is_its_own_value(store: &dyn SecretStore) {
    let read = store.secrets().read(&SecretRef::Inline("value".to_owned())).await.expect("a value");
    assert!(read.matches(b"value") && !read.matches(b"other"));
}

/// Neither a value's debug output nor an error's text has the value in it.
pub async fn no_text_carries_the_value(store: &dyn SecretStore) {
    store.set("/faregate/a", "hunter2");
    for reference in [ssm("/faregate/a"), SecretRef::Inline("hunter2".to_owned())] {
        let read = store.secrets().read(&reference).await;
        assert!(read.is_ok());
        assert!(!format!("{read:?} {reference:?}").contains("hunter2"));
    }
}
