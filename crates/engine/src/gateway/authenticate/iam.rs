//! The credential *IAM*: the principal that Lambda verified for a function URL with `AWS_IAM`.

use faregate_core::{
    CONSUMER_BYTES_MAX,
    problem::{Code, Problem},
};

use crate::gateway::{
    Peer,
    caller::{Evidence, Proof},
};

/// The principal of the event; `None` where there is none.
pub(super) fn verify(peer: &Peer) -> Result<Option<Proof>, Problem> {
    let Some(arn) = peer.iam_arn.as_deref() else { return Ok(None) };
    let consumer = consumer(arn);
    if arn.is_empty() || consumer.len() > CONSUMER_BYTES_MAX {
        let problem = Problem::new(Code::CredentialsInvalid, "the IAM principal is not valid");
        return Err(problem.caused_by("an ARN of impossible length"));
    }
    let evidence = Evidence::Iam { consumer: consumer.into(), arn: arn.into() };
    Ok(Some(Proof { evidence, headers: Vec::new() }))
}

/// `iam:<arn>`; all sessions of a role are one consumer (`arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`).
fn consumer(arn: &str) -> String {
    let mut parts = arn.splitn(6, ':');
    let (service, resource) = (parts.nth(2), parts.nth(2));
    let session = match (service, resource) {
        (Some("sts"), Some(resource)) if resource.starts_with("assumed-role/") => {
            resource.splitn(3, '/').nth(2).map_or(0, |session| session.len() + 1)
        }
        _ => 0,
    };
    format!("iam:{}", &arn[..arn.len() - session])
}

#[cfg(test)]
mod tests {
    use super::consumer;

    #[test]
    fn a_role_is_one_consumer_whatever_its_sessions_are_called() {
        for (arn, expected) in [
            ("arn:aws:iam::1:user/u", "iam:arn:aws:iam::1:user/u"),
            ("arn:aws:iam::1:user/path/u", "iam:arn:aws:iam::1:user/path/u"),
            ("arn:aws:sts::1:assumed-role/Role/session", "iam:arn:aws:sts::1:assumed-role/Role"),
            ("arn:aws-cn:sts::1:assumed-role/Role/a@b:c", "iam:arn:aws-cn:sts::1:assumed-role/Role"),
            ("arn:aws:sts::1:assumed-role/Role", "iam:arn:aws:sts::1:assumed-role/Role"),
            ("arn:aws:sts::1:federated-user/u", "iam:arn:aws:sts::1:federated-user/u"),
            ("junk", "iam:junk"),
            ("", "iam:"),
        ] {
            assert_eq!(consumer(arn), expected, "{arn}");
        }
    }
}
