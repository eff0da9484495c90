use serde_json::Value;

use super::dev::Dev;

fn secret(created: &Value) -> String {
    created["key"].as_str().unwrap_or_else(|| panic!("a key in {created}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_created_used_rotated_disabled_and_expires() {
    let dev = Dev::start().await;
    let create = async |arguments: &[&str]| {
        let (code, created) = dev.faregate(&[&["key", "create", "--consumer", "acme"], arguments].concat()).await;
        assert_eq!(code, 0, "{created}");
        secret(&created)
    };
    let status = async |key: &str| dev.call("GET", "/demo/hello", Some(key)).await.status.as_u16();
    let [used, rotated, expiring] = [create(&[]).await, create(&[]).await, create(&["--expires", "3s"]).await];
    for key in [&used, &rotated, &expiring] {
        assert_eq!(status(key).await, 200);
    }
    // Expiry is checked on every use, the cache notwithstanding.
    dev.call_until("/demo/hello", Some(&expiring), |answer| answer.status.as_u16() == 401).await;

    let hash = |key: &str| faregate_core::api_key::KeyHash::of(key.as_bytes());
    let (code, rotation) = dev.faregate(&["key", "rotate", hash(&rotated).short(), "--overlap", "24h"]).await;
    assert_eq!(code, 0, "{rotation}");
    let fresh = secret(&rotation);
    assert_ne!(fresh, rotated);
    assert_eq!((status(&fresh).await, status(&rotated).await), (200, 200));

    let (code, disabled) = dev.faregate(&["key", "disable", hash(&used).short()]).await;
    assert_eq!(code, 0, "{disabled}");
    // 24: a key that no environment knows yet is refused at once; a cached one within 60 s, and a call takes some time.
    let taken_back = std::time::Instant::now();
    dev.call_until("/demo/hello", Some(&used), |answer| answer.status.as_u16() == 401).await;
    assert!(taken_back.elapsed() < std::time::Duration::from_secs(75), "{:?}", taken_back.elapsed());
    let (code, checked) = dev.faregate(&["key", "check"]).await;
    assert_eq!(code, 0, "{checked}");
}
