//! The values that were measured, and the table of them.

use std::{collections::HashMap, time::Duration};

use crate::{process::Pv, targets::ROWS};

/// What was measured.
#[derive(Default)]
pub(crate) struct Report {
    values: HashMap<(&'static str, String), f64>,
    baselines: HashMap<&'static str, f64>,
    failures: Vec<String>,
}

impl Report {
    /// Notes a value of a row.
    pub(crate) fn put(&mut self, row: &'static str, pv: &Pv, value: f64) {
        eprintln!("  {:<20} {:<12} {value:.2}", row, pv.name);
        self.values.insert((row, pv.name.clone()), value);
    }

    /// Notes the middle one of some times, in milliseconds.
    pub(crate) fn put_ms(&mut self, row: &'static str, pv: &Pv, times: &mut [Duration]) {
        self.put(row, pv, median_ms(times));
    }

    /// Notes what a row is compared with.
    pub(crate) fn put_baseline(&mut self, row: &'static str, value: f64) {
        eprintln!("  {row:<20} {:<12} {value:.2}", "baseline");
        self.baselines.insert(row, value);
    }

    /// Notes that something could not be measured.
    pub(crate) fn fail(&mut self, what: &str, error: &dyn std::fmt::Display) {
        eprintln!("  {what}: {error}");
        self.failures.push(format!("{what}: {error}"));
    }

    /// Returns how many values there are, and what failed.
    pub(crate) fn outcome(&self) -> (usize, &[String]) {
        (self.values.len(), &self.failures)
    }

    /// Returns the table as Markdown; with verdicts on the last of the programs where they are wanted. `longest` is how long the
    /// longest history is, where that is not 100,000 jobs.
    pub(crate) fn table(&self, pvs: &[Pv], is_judged: bool, longest: Option<usize>) -> String {
        let names: Vec<&str> = pvs.iter().map(|pv| pv.name.as_str()).collect();
        let mut table = format!("| what | target | baseline | {} | |\n", names.join(" | "));
        table.push_str(&format!("|---|---|---|{}---|\n", "---|".repeat(names.len())));
        for row in ROWS {
            let value = |pv: &Pv| self.values.get(&(row.id, pv.name.clone())).copied();
            if pvs.iter().all(|pv| value(pv).is_none()) {
                continue;
            }
            let baseline = self.baselines.get(row.id).copied();
            let shown = |value: Option<f64>| value.map_or("–".into(), |value| number(value, row.unit));
            let values: Vec<String> = pvs.iter().map(|pv| shown(value(pv))).collect();
            let first = pvs.first().filter(|_| pvs.len() > 1).and_then(value);
            let met = pvs.last().and_then(value).and_then(|value| row.target.is_met(value, baseline, first));
            let verdict = match met.filter(|_| is_judged) {
                Some(true) => "ok",
                Some(false) => "MISSED",
                None => "",
            };
            let base = baseline.map_or(String::new(), |baseline| number(baseline, row.unit));
            let target = if longest.is_none() { row.target.text() } else { String::new() };
            let what =
                longest.map_or_else(|| row.what.to_owned(), |jobs| row.what.replace("100,000", &jobs.to_string()));
            table.push_str(&format!("| {what} | {target} | {base} | {} | {verdict} |\n", values.join(" | ")));
        }
        table
    }
}

/// Returns the middle one of some times, in milliseconds.
pub(crate) fn median_ms(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

/// Returns a time in milliseconds.
pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn number(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        0.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}").trim_end().to_owned()
}
