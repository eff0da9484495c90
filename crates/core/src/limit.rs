//! Limits: windows of wall time, counters that all environments share, and leases of permits from them.
//!
//! An environment takes a block of permits from a limit's counter with one conditional write, spends them in memory, and
//! takes the next block while the last permit is being served. [`Lease`] says how many to ask for, [`Counter`] what the
//! write does.

mod bucket;
mod counter;
mod lease;
mod pace;
mod rule;
mod window;

pub use bucket::{Draw, Shape};
pub use counter::{Ask, Counter, Obstacle, Return, RollUp, Slot, SlotName, Spent, Take};
pub use lease::{Counted, Lease, Sizing};
pub use rule::{Mode, Rule};
pub use window::Window;

#[cfg(test)]
mod ahead_tests;
#[cfg(test)]
mod burst_tests;
#[cfg(test)]
mod denial_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wrong_clock_tests;
