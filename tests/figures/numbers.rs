//! Many times of one thing: how many, the middle one, the 95th percentile, and all of them.

use serde_json::{Value, json};

use crate::record;

/// All values with their number, median, 95th percentile (nearest rank) and largest; null where there are none.
pub fn summary(values: &[f64]) -> Value {
    let mut brief = brief(values);
    if brief.is_object() {
        brief["all"] = values.iter().map(|value| rounded(*value)).collect();
    }
    brief
}

/// The same without the values.
pub fn brief(values: &[f64]) -> Value {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(largest) = sorted.last() else { return Value::Null };
    let rank = (sorted.len() as f64 * 0.95).ceil() as usize;
    json!({
        "n": sorted.len(),
        "median": rounded(record::median(sorted.clone())),
        "percentile_95": rounded(sorted[rank.clamp(1, sorted.len()) - 1]),
        "largest": rounded(*largest),
    })
}

/// To hundredths.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// One line for a person.
pub fn line(name: &str, summary: &Value) {
    println!("{name}: median {}, 95th percentile {}, n {}", summary["median"], summary["percentile_95"], summary["n"]);
}
