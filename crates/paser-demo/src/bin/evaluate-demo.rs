//! Exact match per capability on the demo's tests: `cargo run -p paser-demo --bin evaluate-demo -- MODEL_DIR
//! [ITEMS.jsonl]`. With `--subs` the right answers are counted by sub-type and the
//! wrong ones shown.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use paser_demo::evaluate::{answers, evaluate, likeliest};
use paser_demo::pool::{TestItem, read_jsonl};

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let by_sub = arguments.iter().position(|a| a == "--subs").map(|i| arguments.remove(i));
    let mut arguments = arguments.into_iter();
    let model = PathBuf::from(arguments.next().context("say which model: evaluate-demo MODEL_DIR [ITEMS.jsonl]")?);
    let items = arguments
        .next()
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/tests.jsonl")), PathBuf::from);
    let items: Vec<TestItem> = read_jsonl(&items)?;
    for score in evaluate(&model, &items)? {
        let (low, high) = score.interval();
        println!(
            "{:<12} {:>3} of {:>3}  {:>5.1} %  [{:.1}, {:.1}]",
            score.capability.name(),
            score.right,
            score.items,
            100.0 * score.exact(),
            100.0 * low,
            100.0 * high
        );
    }
    if by_sub.is_some() {
        let mut counts: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
        let right = answers(&model, &items)?;
        for ((item, right), answer) in items.iter().zip(right).zip(likeliest(&model, &items)?) {
            if !right {
                println!("  {}: wanted {:?}, likeliest {answer:?}", item.id, item.output);
            }
            let count = counts.entry((&item.capability, &item.sub)).or_default();
            count.0 += usize::from(right);
            count.1 += 1;
        }
        for ((capability, sub), (right, all)) in counts {
            println!("  {capability} / {sub}: {right} of {all}");
        }
    }
    Ok(())
}
