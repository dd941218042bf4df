//! Files of results as lm-evaluation-harness writes them, so that scripts made for it read ours and its files can be
//! compared with ours. Owns what is kept of such a file; `write` makes the current shape (0.4.13), `read` takes that and
//! the old one (`"acc": ...` without a filter), `samples` does both for the file with a line per item.

mod read;
mod samples;
mod write;

use serde_json::{Map, Value};

pub use read::{parse_results, read_results};
pub use samples::{Sample, parse_samples, read_samples, samples_of, samples_of_gsm8k, write_samples};
pub use write::write_results;

use crate::gsm8k::Gsm8kResult;
use crate::tasks::{Metric, TaskResult};
use crate::{Perplexity, PerplexityValue, Profile};

/// A file of results.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Results {
    /// The model's name or path; empty where a file does not tell.
    pub model: String,
    /// Whose rules texts were encoded by; `None` in files of other programs.
    pub profile: Option<Profile>,
    /// Seconds since 1970.
    pub date: Option<f64>,
    /// In the order of the file.
    pub tasks: Vec<TaskEntry>,
    /// How it was run: `model`, `model_args`, `batch_size`, `limit`, seeds.
    pub config: Map<String, Value>,
}

/// A task of a file of results.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskEntry {
    pub name: String,
    pub version: Option<f64>,
    /// Worked examples before a question.
    pub shots: Option<u64>,
    /// Items that were asked.
    pub items: Option<u64>,
    /// Items of the whole task.
    pub items_of_all: Option<u64>,
    pub metrics: Vec<Reported>,
}

/// A metric of a file of results.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    pub name: String,
    /// "none", or how the answer was extracted.
    pub filter: String,
    /// `None` where the file has NaN, infinity or "N/A".
    pub value: Option<f64>,
    pub stderr: Option<f64>,
}

/// Whether more of a metric is better.
pub fn higher_is_better(metric: &str) -> bool {
    !metric.contains("perplexity") && metric != "bits_per_byte"
}

fn reported(metrics: &[Metric]) -> Vec<Reported> {
    let each = metrics.iter().map(|metric| Reported {
        name: metric.name.clone(),
        filter: metric.filter.clone(),
        value: Some(metric.value).filter(|value| value.is_finite()),
        stderr: metric.stderr,
    });
    each.collect()
}

impl TaskEntry {
    /// A task's entry; `of`: items of the whole task.
    pub fn of_task(result: &TaskResult, of: u64) -> Self {
        Self {
            name: result.task.name().to_owned(),
            version: Some(result.task.version(result.profile)),
            shots: Some(0),
            items: Some(result.items.len() as u64),
            items_of_all: Some(of),
            metrics: reported(&result.metrics),
        }
    }

    /// The entry of GSM8K behind `shots` worked examples.
    pub fn of_gsm8k(result: &Gsm8kResult, shots: u64, of: u64) -> Self {
        Self {
            name: "gsm8k".to_owned(),
            version: Some(3.0),
            shots: Some(shots),
            items: Some(result.items.len() as u64),
            items_of_all: Some(of),
            metrics: reported(&result.metrics),
        }
    }

    /// A perplexity's entry: under the harness's name of the task where it is the harness's protocol, else under the
    /// protocol's own.
    pub fn of_perplexity(result: &Perplexity) -> Self {
        let metric = |name: &str, value: f64| Reported {
            name: name.to_owned(),
            filter: "none".to_owned(),
            value: Some(value).filter(|value| value.is_finite()),
            stderr: None,
        };
        let (name, version, metrics) = match result.value {
            PerplexityValue::Token { perplexity } => {
                (result.protocol.name(), 1.0, vec![metric("perplexity", perplexity)])
            }
            PerplexityValue::Text { word_perplexity, byte_perplexity, bits_per_byte } => (
                "wikitext",
                2.0,
                vec![
                    metric("word_perplexity", word_perplexity),
                    metric("byte_perplexity", byte_perplexity),
                    metric("bits_per_byte", bits_per_byte),
                ],
            ),
        };
        let items = Some(result.windows.len() as u64);
        Self { name: name.to_owned(), version: Some(version), shots: Some(0), items, items_of_all: items, metrics }
    }
}
