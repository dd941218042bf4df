//! Benchmark questions that stand in a pool. A sample contains a question if it shares a run of 13 words with it, as in
//! GPT-3's contamination study (Brown et al. 2020, arXiv 2005.14165, appendix C); a shorter question has to stand there
//! whole, and one of fewer than 6 words is not looked for, because chance alone would find it. Unlike there, runs that
//! many samples share are not forgiven: a question that a pool repeats is just what is looked for.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
};

use paser_protocol::Monitor;
use rayon::prelude::*;

use crate::{
    Benchmark, DataError, Sample,
    words::{HashedWords, words},
};

/// Words of a run that a sample and a question share only where one was copied.
const RUN: usize = 13;
/// Questions of fewer words are not looked for.
const LEAST: usize = 6;
/// Words of the runs whose share tells how much of a question a sample holds.
const PIECE: usize = 8;
/// Samples looked at between two looks at the monitor.
const PATIENCE: usize = 1024;

/// A sample that contains a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Leak {
    pub row: u32,
    /// Place of the question in [`Benchmark::questions`]: of several the one of the largest share, then the first.
    pub question: u32,
    /// Share of the question's runs of 8 words that the sample holds, 0 to 1; 1 for a shorter question.
    pub share: f32,
    /// The first words that both share, as they are compared: lower case, no punctuation.
    pub shared: String,
}

/// What of one benchmark stands in a pool.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BenchmarkLeaks {
    /// One a sample, by rising row.
    pub leaks: Vec<Leak>,
    /// Questions of fewer than 6 words, which were not looked for.
    pub too_short: usize,
}

/// What of several benchmarks stands in a pool.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Leakage {
    /// In the order of the benchmarks.
    pub benchmarks: Vec<BenchmarkLeaks>,
    /// Per row the largest share of any question's runs of 8 words, 0 to 1, whether the sample contains the question or
    /// only pieces of it.
    pub share: Vec<f32>,
}

/// Keys that are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// Forms of questions by the hash of a run of words that they hold.
type Runs = HashMap<u64, Vec<u32>, BuildHasherDefault<Hashed>>;

/// One form of one question.
struct Form {
    benchmark: u32,
    question: u32,
    /// Distinct runs of [`PIECE`] words.
    pieces: u32,
}

/// All questions, ready to be met.
struct Index {
    forms: Vec<Form>,
    /// Lengths of the runs in `runs`.
    lengths: Vec<usize>,
    runs: Runs,
    pieces: Runs,
}

impl Index {
    fn of(benchmarks: &[Benchmark]) -> (Self, Vec<BenchmarkLeaks>) {
        let mut index = Self { forms: Vec::new(), lengths: Vec::new(), runs: Runs::default(), pieces: Runs::default() };
        let mut lengths = BTreeSet::new();
        let mut found = vec![BenchmarkLeaks::default(); benchmarks.len()];
        for (benchmark, asked) in benchmarks.iter().enumerate() {
            for (question, asked) in asked.questions.iter().enumerate() {
                let forms: Vec<HashedWords> = asked.forms.iter().map(|form| HashedWords::of(&[form])).collect();
                let long: Vec<&HashedWords> = forms.iter().filter(|form| form.len() >= LEAST).collect();
                found[benchmark].too_short += usize::from(long.is_empty());
                for words in long {
                    let number = index.forms.len() as u32;
                    let length = words.len().min(RUN);
                    lengths.insert(length);
                    // A form that repeats a run counts it once.
                    let distinct = |length: usize| words.runs(length).collect::<BTreeSet<u64>>();
                    for run in distinct(length) {
                        index.runs.entry(run).or_default().push(number);
                    }
                    let pieces = distinct(PIECE);
                    let (benchmark, question) = (benchmark as u32, question as u32);
                    index.forms.push(Form { benchmark, question, pieces: pieces.len() as u32 });
                    for piece in pieces {
                        index.pieces.entry(piece).or_default().push(number);
                    }
                }
            }
        }
        index.lengths = lengths.into_iter().collect();
        (index, found)
    }

    /// The leaks of a sample with their benchmarks, one a benchmark, and the largest share.
    fn meet(&self, row: u32, sample: &Sample) -> (Vec<(u32, Leak)>, f32) {
        let texts = [sample.instruction.as_str(), sample.input.as_str(), sample.output.as_str()];
        let hashed = HashedWords::of(&texts);
        // A piece that the sample repeats counts once.
        let mut met = HashSet::<u64, BuildHasherDefault<Hashed>>::default();
        let pieces = hashed.runs(PIECE).filter(|piece| self.pieces.contains_key(piece) && met.insert(*piece));
        let mut pieces: Vec<u32> = pieces.flat_map(|piece| self.pieces[&piece].iter().copied()).collect();
        pieces.sort_unstable();
        let share = |form: u32, count: usize| match self.forms[form as usize].pieces {
            0 => 1.0,
            all => count as f32 / all as f32,
        };
        let mut largest = pieces.chunk_by(|a, b| a == b).map(|same| share(same[0], same.len())).fold(0.0, f32::max);
        // Form, place and length of the first run that it shares.
        let mut hits: Vec<(u32, usize, usize)> = Vec::new();
        for &length in &self.lengths {
            for (place, run) in hashed.runs(length).enumerate() {
                let forms = self.runs.get(&run).into_iter().flatten();
                hits.extend(forms.map(|form| (*form, place, length)));
            }
        }
        hits.sort_unstable();
        hits.dedup_by_key(|(form, ..)| *form);
        if hits.is_empty() {
            return (Vec::new(), largest);
        }
        let words: Vec<String> = texts.iter().flat_map(|text| words(text)).collect();
        let mut leaks: Vec<(u32, Leak)> = Vec::new();
        for (number, place, length) in hits {
            let form = &self.forms[number as usize];
            let count =
                pieces.partition_point(|piece| *piece <= number) - pieces.partition_point(|piece| *piece < number);
            let share = share(number, count);
            largest = largest.max(share);
            // Forms come in the order of benchmarks and questions.
            match leaks.last() {
                Some((benchmark, best)) if *benchmark == form.benchmark && best.share >= share => continue,
                Some((benchmark, _)) if *benchmark == form.benchmark => {
                    leaks.pop();
                }
                _ => {}
            }
            let shared = words[place..place + length].join(" ");
            leaks.push((form.benchmark, Leak { row, question: form.question, share, shared }));
        }
        (leaks, largest)
    }
}

/// Looks for the questions of the benchmarks in the samples that are not held out. `held_out`: one mark per sample.
///
/// # Errors
/// `Cancelled`.
pub fn leakage(
    samples: &[Sample],
    held_out: &[bool],
    benchmarks: &[Benchmark],
    monitor: &dyn Monitor,
) -> Result<Leakage, DataError> {
    let (index, found) = Index::of(benchmarks);
    let mut result = Leakage { benchmarks: found, share: Vec::with_capacity(samples.len()) };
    let total = samples.len() as u64;
    for start in (0..samples.len()).step_by(PATIENCE) {
        monitor.progress(start as u64, total);
        if monitor.cancelled() {
            return Err(DataError::Cancelled);
        }
        let rows = start..samples.len().min(start + PATIENCE);
        let met: Vec<_> = rows
            .into_par_iter()
            .map(|row| {
                if held_out[row] {
                    return (Vec::new(), 0.0);
                }
                index.meet(row as u32, &samples[row])
            })
            .collect();
        for (leaks, share) in met {
            result.share.push(share);
            for (benchmark, leak) in leaks {
                result.benchmarks[benchmark as usize].leaks.push(leak);
            }
        }
    }
    monitor.progress(total, total);
    Ok(result)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use paser_protocol::Silent;

    use super::*;
    use crate::{Question, content_hash};

    fn sample(instruction: &str, output: &str) -> Sample {
        Sample {
            id: String::new(),
            instruction: instruction.to_owned(),
            input: String::new(),
            output: output.to_owned(),
            hash: content_hash(instruction, "", output),
            multiplicity: 1,
            line: 1,
        }
    }

    fn benchmark(questions: &[&str]) -> Benchmark {
        let question = |text: &&str| Question { line: 1, forms: vec![(*text).to_owned()] };
        Benchmark { name: "b".to_owned(), path: "b".into(), questions: questions.iter().map(question).collect() }
    }

    fn look(samples: &[Sample], benchmarks: &[Benchmark]) -> Leakage {
        leakage(samples, &vec![false; samples.len()], benchmarks, &Silent).unwrap()
    }

    fn numbers(from: usize, to: usize) -> String {
        (from..to).map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_long_question_leaks_by_thirteen_words_and_not_by_twelve() {
        let question = [benchmark(&[&numbers(0, 20)])];
        let found = look(&[sample(&numbers(5, 17), "x"), sample(&numbers(5, 18), "x")], &question);
        let leak = &found.benchmarks[0].leaks;
        assert_eq!((leak.len(), leak[0].row, leak[0].shared.as_str()), (1, 1, numbers(5, 18).as_str()));
        // 20 words are 13 pieces of 8; 13 words hold 6 of them, and 12 words 5.
        assert_eq!(leak[0].share, 6.0 / 13.0);
        assert_eq!(found.share, [5.0 / 13.0, 6.0 / 13.0]);
        let twice = look(&[sample(&numbers(0, 20), &numbers(0, 20))], &question);
        assert_eq!(twice.share, [1.0], "what a sample repeats counts once");
    }

    #[test]
    fn a_short_question_leaks_whole_and_a_tiny_one_never() {
        let asked =
            [benchmark(&["What do plants need to grow?", "Predators eat small animals often", "A b c d e f g h i"])];
        let pool = [
            sample("Say: what do PLANTS need, to grow -- and why?", "Light."),
            sample("What do plants need", "to live and grow?"),
            sample("Predators eat small animals often", "yes"),
            sample("a b c d e f g h", "i"),
            sample("a b c d e f g h", "j"),
        ];
        let found = look(&pool, &asked);
        let leaks: Vec<_> =
            found.benchmarks[0].leaks.iter().map(|leak| (leak.row, leak.question, leak.share)).collect();
        assert_eq!(leaks, [(0, 0, 1.0), (3, 2, 1.0)]);
        assert_eq!(found.benchmarks[0].too_short, 1);
        assert_eq!(found.share, [1.0, 0.0, 0.0, 1.0, 0.5]);
    }

    #[test]
    fn the_fullest_question_of_each_benchmark_is_told() {
        let long = numbers(0, 30);
        let asked = [benchmark(&[&format!("{} z z z z z z", numbers(0, 14)), &long, &long]), benchmark(&[&long])];
        let found = look(&[sample(&long, "x")], &asked);
        assert_eq!(found.benchmarks[0].leaks[0].question, 1);
        assert_eq!((found.benchmarks[1].leaks.len(), found.share[0]), (1, 1.0));
    }

    #[test]
    fn held_out_samples_are_left_alone_and_a_stop_is_heard() {
        let asked = [benchmark(&[&numbers(0, 20)])];
        let pool = [sample(&numbers(0, 20), "x"), sample(&numbers(0, 20), "y")];
        let found = leakage(&pool, &[true, false], &asked, &Silent).unwrap();
        assert_eq!(found.benchmarks[0].leaks.iter().map(|leak| leak.row).collect::<Vec<_>>(), [1]);
        struct Stop;
        impl Monitor for Stop {
            fn progress(&self, _: u64, _: u64) {}
            fn cancelled(&self) -> bool {
                true
            }
        }
        assert!(matches!(leakage(&pool, &vec![false; pool.len()], &asked, &Stop), Err(DataError::Cancelled)));
    }

    #[test]
    fn forms_of_one_question_are_one_leak() {
        let text = "the _ fell on the floor and broke into many pieces";
        let forms = [text.to_owned(), text.replace('_', "cup")].to_vec();
        let asked = Benchmark { questions: vec![Question { line: 1, forms }], ..benchmark(&[]) };
        let found = look(&[sample(&text.replace('_', "cup"), text)], &[asked]);
        assert_eq!(found.benchmarks[0].leaks.len(), 1);
    }
}
