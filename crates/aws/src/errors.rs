//! What the SDK reports, as the ports say it.

use std::error::Error;

use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use faregate_engine::ports::StoreError;

/// Too much traffic, by the names that DynamoDB, SSM and their front doors give it.
const THROTTLING: [&str; 9] = [
    "ProvisionedThroughputExceededException",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "SlowDown",
    "ThrottlingError",
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Which [`StoreError`] a failed call is. The text is the service's own and names no secret.
pub(crate) fn store_error<E>(error: SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match &error {
        SdkError::ServiceError(failure) => {
            let code = failure.err().code().unwrap_or_default();
            let status = failure.raw().status().as_u16();
            refusal(code, status, describe(&error))
        }
        SdkError::ConstructionFailure(_) => StoreError::Rejected(describe(&error)),
        SdkError::DispatchFailure(failure) if failure.is_user() => StoreError::Rejected(describe(&error)),
        // Time-outs, no connection, an answer that breaks off, and whatever kinds the SDK adds.
        _ => StoreError::Unavailable(describe(&error)),
    }
}

/// Whether a conditional write was made: `false` where its condition did not hold.
pub(crate) fn condition_held<T, E>(written: Result<T, SdkError<E, HttpResponse>>) -> Result<bool, StoreError>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match written {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(false),
        Err(error) => Err(store_error(error)),
    }
}

/// What an error code of a service means.
pub(crate) fn refusal(code: &str, status: u16, text: String) -> StoreError {
    if THROTTLING.contains(&code) || status == 429 {
        StoreError::Throttled(text)
    } else if status >= 500 || code == "InternalServerError" {
        StoreError::Unavailable(text)
    } else if code == "ValidationException" {
        StoreError::Invalid(text)
    } else {
        StoreError::Rejected(text)
    }
}

/// One line for the operator: the service's code and message, or the causes from the outermost inwards.
pub(crate) fn describe<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let SdkError::ServiceError(failure) = error {
        let code = failure.err().code().unwrap_or("an unknown error");
        return match failure.err().message() {
            Some(message) => format!("{code}: {message}"),
            None => format!("{code} (status {})", failure.raw().status()),
        };
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.to_string();
        // Wrappers that say what they wrap would say it twice.
        if !text.ends_with(&inner) {
            text = format!("{text}: {inner}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use faregate_engine::ports::StoreError;

    use super::refusal;

    #[test]
    fn codes_tell_throttling_faults_and_refusals_apart() {
        for (code, status, expected) in [
            ("ProvisionedThroughputExceededException", 400, StoreError::Throttled(String::new())),
            ("ThrottlingException", 400, StoreError::Throttled(String::new())),
            ("RequestLimitExceeded", 400, StoreError::Throttled(String::new())),
            ("", 429, StoreError::Throttled(String::new())),
            ("InternalServerError", 500, StoreError::Unavailable(String::new())),
            ("", 503, StoreError::Unavailable(String::new())),
            ("ResourceNotFoundException", 400, StoreError::Rejected(String::new())),
            ("AccessDeniedException", 400, StoreError::Rejected(String::new())),
            ("ValidationException", 400, StoreError::Invalid(String::new())),
            ("ConditionalCheckFailedException", 400, StoreError::Rejected(String::new())),
        ] {
            assert_eq!(refusal(code, status, String::new()), expected, "{code} {status}");
        }
    }
}
