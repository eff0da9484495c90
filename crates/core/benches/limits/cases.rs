//! What is simulated, and the figures that the design asks for.

use faregate_core::limit::Mode;

/// Demand as a multiple of the limit, where a case has none of its own, and where a limit is not reached.
const DEMAND: f64 = 1.5;
pub(crate) const LOW_DEMAND: f64 = 0.7;
/// How long a limit per second is watched, in seconds.
const SECONDS_WATCHED: u64 = 60;

/// How permits are taken.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Way {
    /// The gateway's leases.
    Leases,
    /// The same, but for permits of a window that are taken before it begins.
    NotAhead,
    /// A write for each request.
    EachRequest,
    /// Always so many permits.
    Fixed(u64),
    /// Everybody counts alone and tells the others once a second.
    Synchronised,
}

/// What goes wrong.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Trouble {
    None,
    /// The store is away for a minute in the middle; whether a tenth is admitted without it.
    Outage {
        allow: bool,
    },
    /// So many of a hundred answers are lost.
    Lost(u32),
    /// So many of a hundred writes are made twice, and answered once.
    Twice(u32),
    /// Every environment ends after five minutes; so many of a hundred hear of it before.
    Deaths {
        told: u32,
    },
    /// Every clock is wrong by up to so many seconds, ahead or behind.
    Clocks(f64),
    /// So many of a hundred writes meet an environment that stands still for up to two minutes before it sees the answer.
    Frozen(u32),
    /// Every other five minutes there is a tenth of the demand, and most environments have nothing to do for this caller:
    /// whether they stand still with all that they hold, or answer others.
    Lulls {
        are_frozen: bool,
    },
}

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) environments: usize,
    /// How long a window is, where there is no limit per second, and for how many of them it goes on.
    pub(crate) seconds: u64,
    pub(crate) windows: u64,
    pub(crate) demand: f64,
    pub(crate) way: Way,
    pub(crate) trouble: Trouble,
    /// A limit per second; else one per window.
    pub(crate) per_second: Option<Mode>,
    /// Over-admission, unused and writes per admitted request, as the design has them.
    pub(crate) wanted: [&'static str; 3],
}

impl Case {
    fn new(name: &'static str, environments: usize, seconds: u64, wanted: [&'static str; 3]) -> Self {
        let (way, trouble) = (Way::Leases, Trouble::None);
        Self { name, environments, seconds, windows: 1, demand: DEMAND, way, trouble, per_second: None, wanted }
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let big = |name, way, wanted| Case { way, ..Case::new(name, 5000, 300, wanted) };
    let troubled = |name, trouble, wanted| Case { trouble, ..Case::new(name, 100, 7200, wanted) };
    let by_the_window = |name, seconds, trouble| {
        let windows = 7200 / seconds;
        Case { windows, trouble, ..Case::new(name, 100, seconds, ["0", "-", "-"]) }
    };
    let per_second = |name, mode, demand, wanted| Case {
        per_second: Some(mode),
        demand,
        ..Case::new(name, 100, SECONDS_WATCHED, wanted)
    };
    let burst = Mode::Burst { burst: None, request_max: 1 };
    // A bucket of which a few permits are always on their way would hide a small mistake.
    let hard = |name, trouble| Case { trouble, ..per_second(name, burst, DEMAND, ["0", "-", "-"]) };
    vec![
        Case::new("10 environments, 1 day", 10, 86_400, ["0", "0.05 %", "0.010"]),
        Case::new("100 environments, 2 h", 100, 7200, ["0", "0.07 %", "0.010"]),
        Case::new("1,000 environments, 15 min", 1000, 900, ["0", "0.06 %", "0.011"]),
        big("5,000 environments, 50,000 req/s, 5 min", Way::Leases, ["0", "0.31 %", "0.011"]),
        big("same, one write per request", Way::EachRequest, ["0", "97 %", "1.0"]),
        big("same, fixed blocks of 100", Way::Fixed(100), ["0", "1.13 %", "0.010"]),
        big("same, synchronised every second", Way::Synchronised, ["+2.6 %", "0", "0.023"]),
        troubled("60 s outage, refuse", Trouble::Outage { allow: false }, ["0", "0.27 %", "0.016"]),
        troubled("60 s outage, allow", Trouble::Outage { allow: true }, ["+5 %", "0", "0.016"]),
        troubled("5 % of answers lost", Trouble::Lost(5), ["0", "5.3 %", "0.018"]),
        troubled("5 % of writes made twice", Trouble::Twice(5), ["0", "-", "-"]),
        troubled("fleet dies every 5 min, 90 % told", Trouble::Deaths { told: 90 }, ["0", "1.2 %", "0.020"]),
        troubled("fleet dies every 5 min, none told", Trouble::Deaths { told: 0 }, ["0", "10 %", "0.020"]),
        troubled("frozen before 5 % of answers", Trouble::Frozen(5), ["0", "-", "-"]),
        troubled("most of the fleet frozen every 5 min", Trouble::Lulls { are_frozen: true }, ["0", "-", "-"]),
        troubled("most of the fleet idle every 5 min", Trouble::Lulls { are_frozen: false }, ["0", "-", "-"]),
        by_the_window("clocks wrong by up to 30 s, 30 min", 1800, Trouble::Clocks(30.0)),
        by_the_window("clocks wrong by up to 30 s, 1 min", 60, Trouble::Clocks(30.0)),
        per_second("per second, burst, demand 0.7 x", burst, 0.7, ["0", "2 %", "0.22"]),
        per_second("per second, burst, demand 1.5 x", burst, 1.5, ["0", "7-11 %", "0.8-1.0"]),
        hard("per second, burst, 20 % of answers lost", Trouble::Lost(20)),
        hard("per second, burst, 20 % of writes made twice", Trouble::Twice(20)),
        hard("per second, burst, frozen before 20 % of answers", Trouble::Frozen(20)),
        hard("per second, burst, clocks wrong by up to 0.2 s", Trouble::Clocks(0.2)),
        hard("per second, burst, clocks wrong by up to 1 s", Trouble::Clocks(1.0)),
        per_second("per second, exact, demand 0.7 x", Mode::Exact, 0.7, ["0", "0.15 %", "0.35"]),
        per_second("per second, exact, demand 1.5 x", Mode::Exact, 1.5, ["0", "2-4 %", "0.65"]),
        Case {
            trouble: Trouble::Clocks(0.2),
            ..per_second("per second, exact, clocks wrong by up to 0.2 s", Mode::Exact, 0.7, ["0", "-", "-"])
        },
        per_second("per second, approximate, 1.5 x", Mode::Approximate, 1.5, ["+20-50 %", "0", "0.02-0.66"]),
    ]
}

/// Two of many windows that are not used up: with permits taken ahead, and without.
pub(crate) fn entering() -> [Case; 2] {
    let case = |name, way| Case { way, windows: 4, demand: LOW_DEMAND, ..Case::new(name, 1000, 120, [""; 3]) };
    [case("with permits taken ahead", Way::Leases), case("without", Way::NotAhead)]
}
