//! Phase *limit*: one permit from every limit that applies, all or none.
//!
//! No document can name a limit yet, so every clearance is admitted. The phase stands here so that acting
//! needs an [`Admission`] from the first day on.

use faregate_core::problem::Problem;

use super::authorise::Clearance;

/// That a cleared request holds its permits. Only this phase makes one, and forwarding needs one.
#[derive(Debug)]
pub struct Admission {
    clearance: Clearance,
}

impl Admission {
    /// Who may do what.
    #[must_use]
    pub fn clearance(&self) -> &Clearance {
        &self.clearance
    }
}

/// Takes the permits.
pub(super) fn admit(clearance: Clearance) -> Result<Admission, Problem> {
    Ok(Admission { clearance })
}
