//! Files of benchmark tasks, read for their questions: JSON lines, a JSON array, or plain text with a passage a line.
//! Owns the rule of which field holds the question.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::DataError;

/// File stems of known tasks as they begin, the name a person knows, and the field of the question. Longer ones first.
const KNOWN: [(&str, &str, &str); 16] = [
    ("arc_challenge", "ARC-c", "question"),
    ("arc_easy", "ARC-e", "question"),
    ("boolq", "BoolQ", "question"),
    ("commonsense_qa", "CommonsenseQA", "question"),
    ("gsm8k", "GSM8K", "question"),
    ("hellaswag", "HellaSwag", "ctx"),
    ("humaneval", "HumanEval", "prompt"),
    ("lambada", "LAMBADA", "text"),
    ("math_qa", "MathQA", "Problem"),
    ("mbpp", "MBPP", "text"),
    ("mmlu", "MMLU", "question"),
    ("openbookqa", "OpenBookQA", "question"),
    ("piqa", "PIQA", "goal"),
    ("truthfulqa", "TruthfulQA", "question"),
    ("wikitext2", "WikiText-2", ""),
    ("winogrande", "WinoGrande", "sentence"),
];

/// Fields that hold a question in files of other tasks; of those present the longest text is taken.
const FIELDS: [&str; 15] = [
    "question",
    "question_stem",
    "query",
    "ctx",
    "goal",
    "sentence",
    "text",
    "prompt",
    "problem",
    "Problem",
    "instruction",
    "input",
    "stem",
    "statement",
    "premise",
];

/// Fields with what may stand in a blank.
const OPTIONS: [&str; 2] = ["options", "choices"];

/// A question as a pool might hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// One-based line, or number of the array's element.
    pub line: u64,
    /// The question, and where it has one blank (`_`) also with each option in it.
    pub forms: Vec<String>,
}

impl Question {
    /// The question as it stands in the file.
    pub fn text(&self) -> &str {
        self.forms.first().map_or("", String::as_str)
    }
}

/// The questions of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Benchmark {
    /// `ARC-e` for known tasks, else the file's name without its ending.
    pub name: String,
    pub path: PathBuf,
    pub questions: Vec<Question>,
}

fn known(path: &Path) -> Option<(&'static str, &'static str)> {
    let stem = path.file_stem()?.to_str()?.to_ascii_lowercase().replace('-', "_");
    KNOWN.iter().find(|(begin, _, _)| stem.starts_with(begin)).map(|(_, name, field)| (*name, *field))
}

/// The name of a benchmark file.
pub fn benchmark_name(path: &Path) -> String {
    let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    known(path).map_or_else(stem, |(name, _)| name.to_owned())
}

/// Reads the questions of a file.
///
/// # Errors
/// A file that cannot be read, is not UTF-8 or holds no question; a line that is no JSON object or has no field with a
/// question. Each names the file and the line.
pub fn read_benchmark(path: &Path) -> Result<Benchmark, DataError> {
    parse_benchmark(&fs_err::read(path)?, path)
}

/// The questions in the bytes of a file; `path` names it, and its ending says what it is.
///
/// # Errors
/// As [`read_benchmark`].
pub fn parse_benchmark(bytes: &[u8], path: &Path) -> Result<Benchmark, DataError> {
    let broken = |place: String, what: String| DataError::Benchmark { path: path.to_owned(), place, what };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        broken(format!("line {line}"), "is not UTF-8: convert the file to UTF-8".to_owned())
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let field = known(path).map_or("", |(_, field)| field);
    let mut questions = Vec::new();
    match text.trim_start().chars().next() {
        _ if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("txt")) => {
            for (line, text) in lines(text) {
                questions.push(Question { line, forms: vec![text.trim().to_owned()] });
            }
        }
        Some('[') => {
            let rows: Vec<Value> = serde_json::from_str(text)
                .map_err(|error| broken(format!("line {}", error.line()), format!("is not valid JSON: {error}")))?;
            for (number, row) in (1..).zip(&rows) {
                let forms = forms(row, field).map_err(|what| broken(format!("element {number}"), what))?;
                questions.push(Question { line: number, forms });
            }
        }
        _ => {
            for (line, text) in lines(text) {
                let place = || format!("line {line}");
                let row: Value = serde_json::from_str(text).map_err(|error| {
                    broken(
                        place(),
                        format!("is not a JSON object ({error}): give JSON lines, a JSON array, or a .txt file"),
                    )
                })?;
                questions.push(Question { line, forms: forms(&row, field).map_err(|what| broken(place(), what))? });
            }
        }
    }
    if questions.is_empty() {
        return Err(broken("line 1".to_owned(), "the file holds no question".to_owned()));
    }
    Ok(Benchmark { name: benchmark_name(path), path: path.to_owned(), questions })
}

/// Lines that are not blank, by number. Only `\n` ends one.
fn lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    (1..).zip(text.split('\n')).filter(|(_, line)| !line.trim().is_empty())
}

/// The question of a row, or what is wrong with it.
fn forms(row: &Value, field: &str) -> Result<Vec<String>, String> {
    let Value::Object(row) = row else { return Err("is not a JSON object".to_owned()) };
    // Logs of evaluation harnesses wrap the task's own row.
    let row = row.get("doc").and_then(Value::as_object).unwrap_or(row);
    let Some(question) = question(row, field) else {
        let keys: Vec<&str> = row.keys().map(String::as_str).collect();
        return Err(format!(
            "has no field with a question: it has {}, and one of {} is wanted",
            if keys.is_empty() { "none".to_owned() } else { keys.join(", ") },
            FIELDS.join(", ")
        ));
    };
    let mut forms = vec![question.to_owned()];
    if question.matches('_').count() == 1 {
        forms.extend(options(row).iter().map(|option| question.replace('_', option)));
    }
    Ok(forms)
}

fn question<'a>(row: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    let text = |name: &str| match row.get(name)? {
        Value::String(text) => Some(text.as_str()),
        // ARC as its makers publish it: {"question": {"stem": ..., "choices": [...]}}.
        Value::Object(inner) => inner.get("stem")?.as_str(),
        _ => None,
    };
    // Of equally long ones the first.
    let longest = || FIELDS.iter().filter_map(|name| text(name)).rev().max_by_key(|text| text.len());
    text(field).or_else(longest)
}

fn options(row: &Map<String, Value>) -> Vec<&str> {
    let numbered = ["option1", "option2"].into_iter().filter_map(|name| row.get(name)?.as_str());
    let listed = OPTIONS.into_iter().filter_map(|name| row.get(name)?.as_array()).flatten().filter_map(Value::as_str);
    numbered.chain(listed).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(name: &str, text: &[u8]) -> Result<Benchmark, DataError> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(name);
        fs_err::write(&path, text).unwrap();
        read_benchmark(&path)
    }

    fn texts(benchmark: &Benchmark) -> Vec<&str> {
        benchmark.questions.iter().map(Question::text).collect()
    }

    #[test]
    fn known_tasks_are_read_by_their_field_and_called_by_their_name() {
        let arc = read("arc_easy.jsonl", b"{\"question\": \"Why?\", \"prompt\": \"a much longer text\"}\n").unwrap();
        assert_eq!((arc.name.as_str(), texts(&arc)), ("ARC-e", vec!["Why?"]));
        let ours =
            read("mine.jsonl", b"{\"question\": \"Why?\", \"prompt\": \"a much longer text\", \"n\": 1}").unwrap();
        assert_eq!((ours.name.as_str(), texts(&ours)), ("mine", vec!["a much longer text"]));
        let piqa = read("piqa.jsonl", b"{\"question\": \"How?\"}\n\n{\"goal\": \"Do it\"}\n").unwrap();
        assert_eq!(texts(&piqa), ["How?", "Do it"]);
        assert_eq!(piqa.questions[1].line, 3);
    }

    #[test]
    fn arrays_wrapped_rows_and_texts_are_read() {
        let rows = b"\n[{\"doc\": {\"question\": {\"stem\": \"A?\"}}}, {\"query\": \"B?\"}]";
        assert_eq!(texts(&read("x.json", rows).unwrap()), ["A?", "B?"]);
        assert_eq!(texts(&read("wikitext2_test.txt", b" = A = \n \n [b] c\n").unwrap()), ["= A =", "[b] c"]);
    }

    #[test]
    fn a_blank_is_filled_with_each_option() {
        let rows = b"{\"sentence\": \"The _ fell.\", \"options\": [\"cup\", \"jar\"]}\n{\"sentence\": \"_ or _\"}";
        let read = read("winogrande.jsonl", rows).unwrap();
        assert_eq!(read.questions[0].forms, ["The _ fell.", "The cup fell.", "The jar fell."]);
        assert_eq!(read.questions[1].forms, ["_ or _"]);
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, parts) in [
            (&b"{\"question\": \"a\"}\n{\"id\": 3, \"answer\": \"x\"}\n"[..], ["x.jsonl", "line 2", "id, answer"]),
            (b"{\"question\": \"a\"}\nnot json\n", ["x.jsonl", "line 2", "not a JSON object"]),
            (b"[{\"question\": \"a\"},\n 5]", ["x.jsonl", "element 2", "not a JSON object"]),
            (b"{\"question\": \"a\"}\n{\"question\": \"\xff\"}", ["x.jsonl", "line 2", "UTF-8"]),
            (b"\n \n", ["x.jsonl", "line 1", "no question"]),
        ] {
            let told = read("x.jsonl", text).unwrap_err().to_string();
            assert!(parts.iter().all(|part| told.contains(part)), "{told}");
        }
        assert!(read_benchmark(Path::new("/nowhere/x.jsonl")).unwrap_err().to_string().contains("x.jsonl"));
    }
}
