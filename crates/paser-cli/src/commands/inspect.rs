//! `paser inspect`: what a model holds, and what differs between two.

use clap::Args;
use paser_data::{TokenizerAgreement, tokenizer_agreement};
use paser_engine::ModelKind;
use paser_model::Checkpoint;
use paser_model::inspect::{Comparison, Report as ModelReport, ZeroPattern, compare, inspect};
use paser_protocol::Report;
use serde::Serialize;

use crate::exit::OrTell;
use crate::output::{Output, Table, thousands};
use crate::progress::{self, Progress};

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  paser inspect llama llama-wanda-2-4")]
pub struct InspectArgs {
    /// A folder or a hub id.
    #[arg(value_name = "MODEL")]
    model: String,
    /// A second model to compare with.
    #[arg(value_name = "OTHER")]
    other: Option<String>,
}

/// Two models side by side.
#[derive(Serialize)]
struct Pair {
    #[serde(flatten)]
    comparison: Comparison,
    tokenizers: TokenizerAgreement,
}

/// Differing tensors that are shown by name; all are counted.
const SHOWN: usize = 10;

pub fn run(args: &InspectArgs, output: Output) -> Result<(), Report> {
    let open = |name: &str| Checkpoint::open(&progress::fetch(name, ModelKind::Model)?).or_tell();
    let first = open(&args.model)?;
    match &args.other {
        None => {
            let report = inspect(&first, &Progress::new("reading weights", "parameters")).or_tell()?;
            show(&report, output);
            output.line(&report);
        }
        Some(other) => {
            let second = open(other)?;
            let comparison = compare(&first, &second, &Progress::new("reading weights", "parameters")).or_tell()?;
            // Models whose tokenizers cannot be read can still be compared, only not scored.
            let tokenizers = tokenizer_agreement(first.dir(), second.dir())
                .unwrap_or_else(|error| TokenizerAgreement::unknown(error.to_string()));
            let pair = Pair { comparison, tokenizers };
            show_pair(&pair, output);
            output.line(&pair);
        }
    }
    Ok(())
}

fn pattern_text(pattern: Option<ZeroPattern>) -> String {
    pattern.map_or_else(String::new, |pattern| format!("{}:{}", pattern.kept, pattern.group))
}

fn percent(zeros: u64, parameters: u64) -> String {
    format!("{:.1} %", zeros as f64 / parameters.max(1) as f64 * 100.0)
}

fn show(report: &ModelReport, output: Output) {
    output.say(format!(
        "{}\n{}, {} parameters, {} zero ({}){}; hidden {}, vocabulary {}, context {}, {} head, {}{}",
        report.dir.display(),
        report.family.label(),
        thousands(report.parameters),
        thousands(report.zeros),
        percent(report.zeros, report.parameters),
        report.pattern.map_or_else(String::new, |pattern| format!(", {} everywhere", pattern_text(Some(pattern)))),
        report.hidden,
        thousands(report.vocab as u64),
        thousands(report.context as u64),
        if report.tied { "tied" } else { "own" },
        report.dtype,
        if report.has_tokenizer { "" } else { "; no tokenizer" },
    ));
    for assumed in &report.assumed {
        output.say(format!("assumed: {} = {} (not stated by the files)", assumed.field, assumed.value));
    }
    let mut table = Table::new(&["layer", "heads", "kv heads", "head dim", "ffn", "parameters", "zeros", "pattern"]);
    for layer in &report.layers {
        let patterns: Vec<Option<ZeroPattern>> =
            layer.projections.iter().map(|projection| projection.pattern).collect();
        let pattern = match patterns.first() {
            Some(first) if patterns.iter().all(|other| other == first) => pattern_text(*first),
            _ => "mixed".to_owned(),
        };
        table.row([
            layer.layer.to_string(),
            layer.heads.to_string(),
            layer.kv_heads.to_string(),
            layer.head_dim.to_string(),
            layer.ffn.to_string(),
            thousands(layer.parameters),
            percent(layer.zeros, layer.parameters),
            pattern,
        ]);
    }
    output.table(&table);
}

fn show_pair(Pair { comparison, tokenizers }: &Pair, output: Output) {
    show(&comparison.first, output);
    output.say("");
    show(&comparison.second, output);
    output.say("");
    let tensors = &comparison.tensors;
    output.say(format!(
        "tensors: {} equal, {} changed, {} only in the first, {} only in the second",
        tensors.equal,
        tensors.changed.len(),
        tensors.only_first.len(),
        tensors.only_second.len()
    ));
    for (word, names) in
        [("changed", &tensors.changed), ("only first", &tensors.only_first), ("only second", &tensors.only_second)]
    {
        for name in names.iter().take(SHOWN) {
            output.say(format!("  {word}: {name}"));
        }
        if names.len() > SHOWN {
            output.say(format!("  {word}: {} more", names.len() - SHOWN));
        }
    }
    for field in &comparison.fields {
        output.say(format!("{}: {} and {}", field.field, field.first, field.second));
    }
    if !comparison.layers.is_empty() {
        let mut table = Table::new(&["layer", "<field", "<first", "<second"]);
        for layer in &comparison.layers {
            for field in &layer.differences {
                table.row([layer.layer.to_string(), field.field.clone(), field.first.clone(), field.second.clone()]);
            }
        }
        output.table(&table);
    }
    output.say(match &tokenizers.difference {
        None => "tokenizers agree: scores of this pair are defined".to_owned(),
        Some(difference) if tokenizers.agree => format!("tokenizers agree, though {difference}"),
        Some(difference) => format!("tokenizers differ: {difference}; this pair cannot be scored"),
    });
}
