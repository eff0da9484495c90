//! Figures of benches: printed beside their baselines and budgets, and kept as JSON.

use std::{fs, io, path::PathBuf};

use serde::Serialize;

use super::binary::target_folder;

/// One thing that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What.
    pub what: String,
    /// In which unit.
    pub unit: &'static str,
    /// How much it is: a median.
    pub value: f64,
    /// What it is compared with, measured in the same run: a median, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// How many times the baseline it is. Where both were measured in turn it is the median of the pairs: the machine's speed
    /// may drift between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// How much it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// How much a figure may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// So many times its baseline.
    Times(f64),
    /// So much, in the figure's unit.
    AtMost(f64),
}

impl Figure {
    /// The medians of what was measured.
    ///
    /// # Panics
    ///
    /// Without any.
    #[must_use]
    pub fn of(what: impl Into<String>, unit: &'static str, values: Vec<f64>) -> Self {
        Self { what: what.into(), unit, value: median(values), baseline: None, ratio: None, budget: None }
    }

    /// Beside a baseline, both measured in turn.
    ///
    /// # Panics
    ///
    /// Without any.
    #[must_use]
    pub fn of_pairs(what: impl Into<String>, unit: &'static str, pairs: &[(f64, f64)]) -> Self {
        let (values, baselines): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
        let ratio = median(pairs.iter().map(|(value, baseline)| value / baseline).collect());
        Self { baseline: Some(median(baselines)), ratio: Some(ratio), ..Self::of(what, unit, values) }
    }

    /// It may be so much.
    #[must_use]
    pub fn within(self, budget: Budget) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// Whether it is within its budget, if it has one.
    #[must_use]
    pub fn is_within(&self) -> bool {
        match self.budget {
            None => true,
            Some(Budget::AtMost(most)) => self.value <= most,
            Some(Budget::Times(times)) => self.ratio.is_some_and(|ratio| ratio <= times),
        }
    }
}

/// The figures as a table in Markdown.
#[must_use]
pub fn table(figures: &[Figure]) -> String {
    let mut lines = vec![
        "| what | measured | baseline | ratio | budget | |".to_owned(),
        "| --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for figure in figures {
        let unit = figure.unit;
        let baseline = or_dash(figure.baseline.map(|baseline| format!("{baseline:.2} {unit}")));
        let ratio = or_dash(figure.ratio.map(|ratio| format!("{ratio:.2}")));
        let budget = or_dash(figure.budget.map(|budget| match budget {
            Budget::Times(times) => format!("{times} ×"),
            Budget::AtMost(most) => format!("{most} {unit}"),
        }));
        let verdict = match (figure.budget, figure.is_within()) {
            (None, _) => "",
            (Some(_), true) => "within",
            (Some(_), false) => "OVER",
        };
        let Figure { what, value, .. } = figure;
        lines.push(format!("| {what} | {value:.2} {unit} | {baseline} | {ratio} | {budget} | {verdict} |"));
    }
    lines.join("\n")
}

/// Writes `target/bench/<name>.json` and says where it is.
///
/// # Errors
///
/// Where it cannot be written.
pub fn keep(name: &str, report: &impl Serialize) -> io::Result<PathBuf> {
    let folder = target_folder().join("bench");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.json"));
    fs::write(&file, format!("{:#}\n", serde_json::to_value(report)?))?;
    Ok(file)
}

/// The middle one of several measurements, or the mean of the two in the middle.
///
/// # Panics
///
/// Without any.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

#[cfg(test)]
mod tests {
    use super::{Budget, Figure, median, table};

    fn figure(value: f64, baseline: Option<f64>, budget: Option<Budget>) -> Figure {
        let figure = match baseline {
            Some(baseline) => Figure::of_pairs("a thing", "ms", &[(value, baseline)]),
            None => Figure::of("a thing", "ms", vec![value]),
        };
        Figure { budget, ..figure }
    }

    #[test]
    fn a_budget_is_a_bound_or_a_multiple_of_the_baseline() {
        for (value, baseline, budget, is_within) in [
            (3.0, None, None, true),
            (3.0, Some(1.0), None, true),
            (3.0, Some(1.5), Some(Budget::Times(2.0)), true),
            (3.1, Some(1.5), Some(Budget::Times(2.0)), false),
            (3.0, None, Some(Budget::Times(2.0)), false),
            (3.0, Some(1.0), Some(Budget::AtMost(3.0)), true),
            (3.1, Some(9.0), Some(Budget::AtMost(3.0)), false),
        ] {
            assert_eq!(figure(value, baseline, budget).is_within(), is_within, "{value} {baseline:?} {budget:?}");
        }
    }

    #[test]
    fn a_table_says_which_figure_is_over() {
        let figures = [figure(3.0, Some(2.0), Some(Budget::Times(1.0))), figure(1.0, None, None)];
        let table = table(&figures);
        assert!(table.contains("| a thing | 3.00 ms | 2.00 ms | 1.50 | 1 × | OVER |"), "{table}");
        assert!(table.ends_with("| a thing | 1.00 ms | - | - | - |  |"), "{table}");
    }

    #[test]
    fn a_ratio_is_that_of_the_pairs() {
        let pairs = Figure::of_pairs("a thing", "ms", &[(1.0, 1.0), (8.0, 4.0), (9.0, 9.0)]);
        assert_eq!((pairs.value, pairs.baseline, pairs.ratio), (8.0, Some(4.0), Some(1.0)));
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]).to_bits(), 2.0_f64.to_bits());
        assert_eq!(median(vec![9.0, 1.0, 2.0, 4.0]).to_bits(), 3.0_f64.to_bits());
    }
}
