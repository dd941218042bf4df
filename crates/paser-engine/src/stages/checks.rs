//! Checks: near-duplicates and benchmark questions in the pool, made after the import. What they find is shown and can be
//! excluded; no stage depends on them, so that a run goes on where they cannot be made.

use std::path::{Path, PathBuf};

use paser_data::{Benchmark, Leak, Leakage, NearDuplicates, benchmark_name, leakage, near_duplicates, parse_benchmark};
use paser_project::{Array, Arrays, Artefact, Inputs, recipe::ChecksRecipe, sha256_hex};
use paser_protocol::Failure;

use super::{Bench, Made, artefact, import, json, record};
use crate::{
    checks::{BenchmarkFacts, CheckFacts, Checks, DUPLICATE, KEPT, LeakFacts, UNIQUE},
    loaded::Samples,
    session::{Session, lock},
    trouble::{Outcome, Told, unusable},
};

/// Rises when the same texts would give other findings.
const VERSION: u32 = 1;
pub(crate) const STAGE: &str = "checks";
/// Leaks of a benchmark that are told with their texts.
pub(crate) const EXAMPLES: usize = 20;

/// A benchmark file as it was read.
struct File {
    /// As the recipe or the person names it.
    written: String,
    path: PathBuf,
    bytes: Vec<u8>,
}

/// What is looked for, and in what.
pub(crate) struct ChecksPlan {
    threshold: f64,
    files: Vec<File>,
    pub inputs: Inputs,
}

impl ChecksPlan {
    /// Reads the benchmark files, which `resolve` finds.
    pub(crate) fn new(recipe: &ChecksRecipe, samples: &Samples, resolve: impl Fn(&str) -> PathBuf) -> Outcome<Self> {
        let mut inputs = Inputs::new()
            .with("program's checks", VERSION)
            .with("samples", &samples.fingerprint)
            .with("hold-out", &samples.held_out_fingerprint)
            .with("checks.near_duplicates", recipe.near_duplicates);
        let mut files = Vec::new();
        for (number, written) in recipe.benchmarks.iter().enumerate() {
            let path = resolve(written);
            let bytes = fs_err::read(&path).map_err(|error| {
                if error.kind() == std::io::ErrorKind::NotFound {
                    let advice = "It is named by `checks.benchmarks` in recipe.toml, or by --benchmark.";
                    return unusable(format!("{}: there is no such benchmark file", path.display()), advice);
                }
                error.told()
            })?;
            inputs = inputs.with(&format!("benchmark {number}"), format!("{written} {}", sha256_hex(&bytes)));
            files.push(File { written: written.clone(), path, bytes });
        }
        Ok(Self { threshold: recipe.near_duplicates, files, inputs })
    }

    /// What the plan finds, computed only where it is not there. True: it was.
    pub(crate) fn find(&self, bench: &Bench<'_>, samples: &Samples) -> Outcome<(Artefact, bool)> {
        artefact(bench, STAGE, &self.inputs, || self.look(bench, samples))
    }

    fn look(&self, bench: &Bench<'_>, samples: &Samples) -> Outcome<Made> {
        let mut benchmarks = Vec::new();
        for file in &self.files {
            benchmarks.push(parse_benchmark(&file.bytes, &file.path).map_err(Told::told)?);
        }
        let mut arrays = Arrays::new();
        let mut facts = CheckFacts { threshold: self.threshold, left_out: 0, benchmarks: Vec::new() };
        if self.threshold <= 0.0 && benchmarks.is_empty() {
            return Ok(Made { arrays, summary: json(&facts) });
        }
        let pool = import::pool(bench.session, samples)?;
        if self.threshold > 0.0 {
            let found = bench.work("looking for near-duplicates", "samples", |monitor| {
                near_duplicates(&pool.samples, &pool.held_out, self.threshold, monitor)
            });
            let found = found.map_err(Told::told)?;
            facts.left_out = found.left_out;
            write_duplicates(found, &mut arrays);
        }
        if !benchmarks.is_empty() {
            let found = bench.work("looking for benchmark questions", "samples", |monitor| {
                leakage(&pool.samples, &pool.held_out, &benchmarks, monitor)
            });
            let found = found.map_err(Told::told)?;
            facts.benchmarks = self.benchmark_facts(&benchmarks, &found, samples);
            write_leaks(found, &mut arrays);
        }
        Ok(Made { arrays, summary: json(&facts) })
    }

    fn benchmark_facts(&self, benchmarks: &[Benchmark], found: &Leakage, samples: &Samples) -> Vec<BenchmarkFacts> {
        let mut place = vec![0_usize; samples.len()];
        for (at, row) in samples.order.iter().enumerate() {
            place[*row as usize] = at;
        }
        let names = names(self.files.iter().map(|file| file.written.as_str()));
        let all = benchmarks.iter().zip(&found.benchmarks).zip(&self.files).zip(names);
        all.map(|(((benchmark, found), file), name)| {
            let mut leaks: Vec<&Leak> = found.leaks.iter().collect();
            leaks.sort_by(|a, b| b.share.total_cmp(&a.share).then(place[a.row as usize].cmp(&place[b.row as usize])));
            let example = |leak: &&Leak| LeakFacts {
                row: leak.row,
                question: benchmark.questions[leak.question as usize].text().to_owned(),
                shared: leak.shared.clone(),
                share: leak.share,
            };
            BenchmarkFacts {
                name,
                path: file.written.clone(),
                questions: benchmark.questions.len() as u64,
                too_short: found.too_short as u64,
                examples: leaks.iter().take(EXAMPLES).map(example).collect(),
            }
        })
        .collect()
    }
}

/// Names that tell the files apart: the benchmark's, with the file's where two are of one benchmark.
fn names<'a>(written: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for written in written {
        let name = benchmark_name(Path::new(written));
        let name = if names.contains(&name) { format!("{name} ({written})") } else { name };
        names.push(name);
    }
    names
}

fn write_duplicates(found: NearDuplicates, arrays: &mut Arrays) {
    let status: Vec<u32> = found
        .group
        .iter()
        .zip(&found.kept)
        .map(|(group, kept)| match (*group, *kept) {
            (paser_data::ALONE, _) => UNIQUE,
            (_, true) => KEPT,
            (_, false) => DUPLICATE,
        })
        .collect();
    arrays
        .insert("duplicates", Array::column(status))
        .insert("duplicate_group", Array::column(found.group))
        .insert("duplicate_similarity", Array::column(found.similarity))
        .insert("kept", Array::column(found.kept.iter().map(|kept| u8::from(*kept)).collect::<Vec<u8>>()));
}

/// Per row the benchmark whose question it holds most of, and that share; and all pairs of benchmark and row.
fn write_leaks(found: Leakage, arrays: &mut Arrays) {
    let mut fullest: Vec<Option<(f32, u32)>> = vec![None; found.share.len()];
    let (mut rows, mut codes) = (Vec::new(), Vec::new());
    for (code, benchmark) in (0_u32..).zip(&found.benchmarks) {
        for leak in &benchmark.leaks {
            rows.push(leak.row);
            codes.push(code);
            let best = &mut fullest[leak.row as usize];
            if best.is_none_or(|(share, _)| leak.share > share) {
                *best = Some((leak.share, code));
            }
        }
    }
    let leak: Vec<u32> = fullest.into_iter().map(|best| best.map_or(paser_data::MISSING, |(_, code)| code)).collect();
    arrays
        .insert("leak_benchmark", Array::column(leak))
        .insert("leak_share", Array::column(found.share))
        .insert("leak_rows", Array::column(rows))
        .insert("leak_codes", Array::column(codes));
}

/// What the recipe asks for, with files found from the project's folder.
pub(crate) fn plan(session: &Session, recipe: &ChecksRecipe, samples: &Samples) -> Outcome<ChecksPlan> {
    ChecksPlan::new(recipe, samples, |written| session.folder.resolve(written))
}

/// Brings the recipe's checks up to date. True: they were.
pub(crate) fn bring_up(bench: &Bench<'_>) -> Outcome<bool> {
    let session = bench.session;
    *lock(&session.unchecked) = None;
    let samples = session.samples()?;
    let plan = plan(session, &bench.recipe.recipe.checks, &samples)?;
    let key = plan.inputs.key();
    if session.loaded().checks.is_some_and(|checks| checks.key == key) {
        return Ok(true);
    }
    let (mut found, cached) = plan.find(bench, &samples)?;
    let checks = Checks::read(&mut found, &samples)?;
    record(session, STAGE, &found)?;
    session.with_loaded(|loaded| loaded.checks = Some(checks.into()));
    Ok(cached)
}

/// The same in a run, which goes on without checks that cannot be made: no stage reads them.
pub(crate) fn bring_up_or_tell(bench: &Bench<'_>) -> Outcome<bool> {
    match bring_up(bench) {
        Err(report) if report.failure != Failure::Cancelled => {
            bench.notice(format!("the checks were left out: {report}"));
            *lock(&bench.session.unchecked) = Some(report);
            bench.session.touch();
            Ok(true)
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_of_one_benchmark_have_two_names() {
        let names = names(["a/arc_easy.jsonl", "b/arc_easy_dev.jsonl", "mine.txt"].into_iter());
        assert_eq!(names, ["ARC-e", "ARC-e (b/arc_easy_dev.jsonl)", "mine"]);
    }
}
