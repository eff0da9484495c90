//! When a request really goes through.

use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep, timeout};

use super::{banner::Banner, client};
use crate::failure::Failure;

/// How long the gateway may take until then; it has been built already.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long one request may take.
const ONE_REQUEST: Duration = Duration::from_secs(10);

const PAUSE: Duration = Duration::from_millis(200);

/// Sends requests with the demo key until one goes through.
pub(super) async fn wait(banner: &Banner<'_>) -> Result<(), Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = timeout(ONE_REQUEST, client::get(banner.arguments.port, banner.path(), banner.key)).await;
        let last = match answer {
            Ok(Ok((status, body))) if is_through(status, &body, banner.configuration.is_demo) => return Ok(()),
            Ok(Ok((status, body))) => format!("{status} {}", body.trim()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        if Instant::now() >= until {
            let seconds = PATIENCE.as_secs();
            return Err(Failure::new(format!("no request goes through after {seconds} s; the last one: {last}")));
        }
        sleep(PAUSE).await;
    }
}

/// The demo's route has to answer. Of other configurations nothing is known: any answer of a gateway that has one will
/// do, but none of the emulator's own.
fn is_through(status: StatusCode, body: &str, is_demo: bool) -> bool {
    if is_demo {
        return status == StatusCode::OK;
    }
    let problem = |code: &str| body.contains(&format!("urn:faregate:problem:{code}"));
    !status.is_server_error() || (problem("") && !problem("not_ready"))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::is_through;

    #[test]
    fn the_demo_is_ready_when_its_backend_answers() {
        assert!(is_through(StatusCode::OK, "", true));
        assert!(!is_through(StatusCode::UNAUTHORIZED, "", true));
        assert!(!is_through(StatusCode::SERVICE_UNAVAILABLE, "", true));
    }

    #[test]
    fn another_configuration_is_ready_when_it_is_loaded() {
        let problem = |code: &str| format!("{{\"type\":\"urn:faregate:problem:{code}\"}}");
        assert!(is_through(StatusCode::NOT_FOUND, &problem("route_not_found"), false));
        // Its secrets are not on this machine, say.
        assert!(is_through(StatusCode::SERVICE_UNAVAILABLE, &problem("dependency_unavailable"), false));
        assert!(!is_through(StatusCode::SERVICE_UNAVAILABLE, &problem("not_ready"), false));
        assert!(!is_through(StatusCode::INTERNAL_SERVER_ERROR, "{}", false));
    }
}
