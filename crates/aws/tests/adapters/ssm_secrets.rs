//! Secrets in SSM.

use std::{sync::Arc, time::Duration};

use faregate_aws::{AwsConfig, NAMES_MAX, NEGATIVE_TTL, Patience, REFRESH_TTL, SsmSecrets, TTL};
use faregate_core::secret::SecretRef;
use faregate_engine::{
    fakes::{FakeClock, FakeSecrets},
    ports::{SecretError, Secrets},
};
use faregate_testing::contract::{Subject, secrets::SecretStore};
use futures_util::future::{join, join_all};
use serde_json::json;

use crate::support::ssm::FakeSsm;

struct Fake(FakeSecrets);

impl SecretStore for Fake {
    fn secrets(&self) -> &dyn Secrets {
        &self.0
    }

    fn set(&self, name: &str, value: &str) {
        self.0.set(name, value);
    }
}

/// Secrets in a fake SSM, and the clock that they age by.
struct Ssm {
    server: FakeSsm,
    clock: Arc<FakeClock>,
    secrets: SsmSecrets,
}

impl Ssm {
    async fn start(allow_inline: bool) -> Self {
        let server = FakeSsm::start().await;
        let clock = Arc::new(FakeClock::default());
        let config = AwsConfig::for_local_stack(&server.endpoint, Arc::<FakeClock>::clone(&clock), Patience::Request);
        let secrets = SsmSecrets::new(&config.await, Arc::<FakeClock>::clone(&clock), allow_inline);
        Self { server, clock, secrets }
    }

    /// Whether the secret `name` reads as `value`.
    async fn reads(&self, name: &str, value: &str) -> Result<bool, SecretError> {
        let read = self.secrets.read(&SecretRef::Ssm(name.to_owned())).await?;
        Ok(read.matches(value.as_bytes()))
    }
}

impl SecretStore for Ssm {
    fn secrets(&self) -> &dyn Secrets {
        &self.secrets
    }

    fn set(&self, name: &str, value: &str) {
        self.server.set(name, value);
    }
}

async fn fake() -> Subject<dyn SecretStore> {
    Subject::new(Box::new(Fake(FakeSecrets::default())), ())
}

async fn real() -> Subject<dyn SecretStore> {
    Subject::new(Box::new(Ssm::start(true).await), ())
}

mod fake_contract {
    faregate_testing::secrets_contract!(super::fake);
}

mod ssm_contract {
    faregate_testing::secrets_contract!(super::real);
}

#[tokio::test]
async fn parameters_are_asked_for_decrypted() {
    // Parameter Store itself reads Secrets Manager for a name of the second kind: it goes out to the letter.
    for name in ["/faregate/a", "/aws/reference/secretsmanager/faregate/edge/A-b_1"] {
        let ssm = Ssm::start(false).await;
        ssm.server.set(name, "value");
        assert_eq!(ssm.reads(name, "value").await, Ok(true));
        assert_eq!(ssm.server.requests(), [json!({"Name": name, "WithDecryption": true})]);
    }
}

#[tokio::test]
async fn a_value_is_used_for_five_minutes_of_wall_time() {
    let ssm = Ssm::start(false).await;
    ssm.server.set("/faregate/a", "old");
    assert_eq!(ssm.reads("/faregate/a", "old").await, Ok(true));
    ssm.server.set("/faregate/a", "new");
    ssm.clock.freeze_for(TTL - Duration::from_millis(1));
    assert_eq!(ssm.reads("/faregate/a", "old").await, Ok(true));
    assert_eq!(ssm.server.requests().len(), 1);
    ssm.clock.freeze_for(Duration::from_millis(1));
    assert_eq!(ssm.reads("/faregate/a", "new").await, Ok(true));
    assert_eq!(ssm.server.requests().len(), 2);
}

#[tokio::test]
async fn a_value_that_did_not_do_is_read_anew_every_thirty_seconds() {
    let ssm = Ssm::start(false).await;
    let refresh = async |value: &str| {
        let reference = SecretRef::Ssm("/faregate/a".to_owned());
        ssm.secrets.refresh(&reference).await.expect("a value").matches(value.as_bytes())
    };
    ssm.server.set("/faregate/a", "old");
    assert_eq!(ssm.reads("/faregate/a", "old").await, Ok(true));
    ssm.server.set("/faregate/a", "new");
    ssm.clock.advance(REFRESH_TTL - Duration::from_millis(1));
    assert!(refresh("old").await);
    ssm.clock.advance(Duration::from_millis(1));
    assert!(refresh("new").await);
    assert_eq!(ssm.reads("/faregate/a", "new").await, Ok(true));
    assert_eq!(ssm.server.requests().len(), 2);
    // Where no newer one can be had the present one goes on, for the rest of its time.
    ssm.server.refuse(Some((500, "InternalServerError")));
    ssm.clock.advance(REFRESH_TTL);
    assert!(refresh("new").await);
    let tried = ssm.server.requests().len();
    assert!(tried > 2 && refresh("new").await);
    assert_eq!(ssm.server.requests().len(), tried);
    assert_eq!(ssm.reads("/faregate/a", "new").await, Ok(true));
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_again_fails_closed() {
    let ssm = Ssm::start(false).await;
    ssm.server.set("/faregate/a", "value");
    assert_eq!(ssm.reads("/faregate/a", "value").await, Ok(true));
    ssm.server.refuse(Some((400, "AccessDeniedException")));
    ssm.clock.advance(TTL);
    let Err(SecretError::Unavailable { name, cause }) = ssm.reads("/faregate/a", "value").await else {
        panic!("a refusal")
    };
    assert_eq!(name, "/faregate/a");
    assert_eq!(cause, "AccessDeniedException: the message of AccessDeniedException");
}

#[tokio::test]
async fn a_failure_is_remembered_for_ten_seconds() {
    let ssm = Ssm::start(false).await;
    assert!(ssm.reads("/faregate/a", "value").await.is_err());
    ssm.server.set("/faregate/a", "value");
    ssm.clock.advance(NEGATIVE_TTL - Duration::from_millis(1));
    assert!(ssm.reads("/faregate/a", "value").await.is_err());
    assert_eq!(ssm.server.requests().len(), 1);
    ssm.clock.advance(Duration::from_millis(1));
    assert_eq!(ssm.reads("/faregate/a", "value").await, Ok(true));
}

#[tokio::test]
async fn a_clock_that_is_set_back_makes_a_value_old() {
    let ssm = Ssm::start(false).await;
    ssm.server.set("/faregate/a", "old");
    assert_eq!(ssm.reads("/faregate/a", "old").await, Ok(true));
    ssm.server.set("/faregate/a", "new");
    ssm.clock.set(faregate_core::time::Timestamp::from_seconds(1));
    assert_eq!(ssm.reads("/faregate/a", "new").await, Ok(true));
}

#[tokio::test]
async fn one_read_at_a_time_serves_all_who_wait_for_a_name() {
    let ssm = Ssm::start(false).await;
    ssm.server.set("/faregate/a", "value");
    ssm.server.hold();
    let readers = join_all((0..20).map(|_| ssm.reads("/faregate/a", "value")));
    let release = async {
        while ssm.server.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        ssm.server.release();
    };
    let (read, ()) = join(readers, release).await;
    assert!(read.iter().all(|read| *read == Ok(true)), "{read:?}");
    assert_eq!(ssm.server.requests().len(), 1);
}

#[tokio::test]
async fn no_more_names_than_the_bound_are_remembered() {
    let ssm = Ssm::start(false).await;
    let names: Vec<String> = (0..=NAMES_MAX.get()).map(|number| format!("/faregate/{number}")).collect();
    for name in &names {
        ssm.server.set(name, "value");
        assert_eq!(ssm.reads(name, "value").await, Ok(true));
    }
    let before = ssm.server.requests().len();
    assert_eq!(ssm.reads(&names[NAMES_MAX.get()], "value").await, Ok(true));
    assert_eq!(ssm.server.requests().len(), before);
    assert_eq!(ssm.reads(&names[0], "value").await, Ok(true));
    assert_eq!(ssm.server.requests().len(), before + 1);
}

#[tokio::test]
async fn an_inline_secret_needs_the_development_switch() {
    let ssm = Ssm::start(false).await;
    let read = ssm.secrets.read(&SecretRef::Inline("hunter2".to_owned())).await;
    assert_eq!(read.as_ref().err(), Some(&SecretError::InlineForbidden));
    assert!(!format!("{read:?}").contains("hunter2"));
}

#[tokio::test]
async fn connections_are_kept_between_calls_but_not_over_a_freeze() {
    let ssm = Ssm::start(false).await;
    for (name, freeze, connections) in
        [("/faregate/a", 0, 1), ("/faregate/b", 10, 1), ("/faregate/c", 30, 2), ("/faregate/d", 0, 2)]
    {
        ssm.clock.freeze_for(Duration::from_secs(freeze));
        ssm.server.set(name, "value");
        assert_eq!(ssm.reads(name, "value").await, Ok(true));
        assert_eq!(ssm.server.connections(), connections, "{name}");
    }
}
