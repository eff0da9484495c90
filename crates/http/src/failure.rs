//! Which of the port's errors a failed exchange is.

use std::error::Error;

use faregate_engine::ports::OutboundError;
use hyper_util::client::legacy;

use crate::guard::Refused;

impl From<Refused> for OutboundError {
    fn from(refused: Refused) -> Self {
        Self::AddressRefused(refused.to_string())
    }
}

/// The port's error for hyper's.
pub(crate) fn classify(error: &legacy::Error) -> OutboundError {
    let refused = causes(error).find_map(|cause| cause.downcast_ref::<Refused>());
    match refused {
        Some(refused) => refused.clone().into(),
        None if error.is_connect() => OutboundError::Connect(describe(error)),
        None => OutboundError::BrokenAnswer(describe(error)),
    }
}

/// The error and its causes in one line.
pub(crate) fn describe(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string();
        // Some errors say their cause again.
        if parts.last() != Some(&text) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
