//! Answers of GSM8K: all gold answers, odd ways to write a number (expected values by Python's `re` with the harness's
//! patterns), and the prompt.

use paser_eval::gsm8k::{Extraction, INVALID, Shot, gsm8k, prompt, right};
use paser_eval::tasks::json_lines;
use paser_eval::{GenerateParams, Profile};
use paser_protocol::Silent;

use crate::support::{demo, lines, shared, text};

#[test]
fn every_gold_answer_is_right_by_both_extractions() {
    let Some(path) = shared("data/eval/gsm8k_test.jsonl") else { return };
    let rows = lines(&path);
    assert_eq!(rows.len(), 1319);
    for (number, row) in rows.iter().enumerate() {
        let gold = text(row, "answer");
        let number_of = gold.rsplit("#### ").next().unwrap();
        for extraction in Extraction::ALL {
            let found = extraction.extract(&gold);
            assert!(right(&found, &gold), "line {}: {} gives {found}", number + 1, extraction.name());
            assert!(!right(&format!("{}1", number_of.trim()), &gold), "line {}", number + 1);
        }
    }
}

/// Text, strict extraction, flexible extraction.
const ODD: [(&str, &str, &str); 34] = [
    ("She has 5 left.\n#### 5", "5", "5"),
    ("#### 1,234", "1,234", "1,234"),
    ("#### 1,234,567.", "1,234,567.", "1,234,567."),
    ("#### $18", INVALID, "$18"),
    ("The answer is $1,000.50.", INVALID, "$1,000.50."),
    ("#### -7", "-7", "-7"),
    ("#### - 7", INVALID, "7"),
    ("#### -$7", INVALID, "-$7"),
    ("#### 3.5", "3.5", "3.5"),
    ("#### .5", ".5", ".5"),
    ("#### 0", "0", "0"),
    ("####5", INVALID, "5"),
    ("#### ", INVALID, INVALID),
    ("####  5", INVALID, "5"),
    ("### 5", INVALID, "5"),
    ("#### 5 apples and 6 pears", "5", "6"),
    ("#### 5\n#### 6", "5", "6"),
    ("#### five", INVALID, INVALID),
    ("", INVALID, INVALID),
    ("No number here.", INVALID, INVALID),
    ("Nothing... at all", INVALID, "..."),
    ("It costs 5, or so,, maybe", INVALID, ",,"),
    ("1 + 2 = 3", INVALID, "3"),
    ("10-3=7", INVALID, "7"),
    ("10 -3", INVALID, "-3"),
    ("7%", INVALID, "7"),
    ("3/4", INVALID, "4"),
    ("1e5", INVALID, "5"),
    ("<<2*3=6>>6 eggs", INVALID, "6"),
    ("#### 12:30", "12", "30"),
    ("#### 1 000", "1", "000"),
    ("\\boxed{42}", INVALID, "42"),
    ("#### ٣", INVALID, INVALID),
    ("The total is 18. #### 18.0 dollars.", "18.0", "18.0"),
];

#[test]
fn odd_numbers_are_extracted_as_the_harness_extracts_them() {
    for (text, strict, flexible) in ODD {
        assert_eq!(Extraction::Strict.extract(text), strict, "strict: {text:?}");
        assert_eq!(Extraction::Flexible.extract(text), flexible, "flexible: {text:?}");
    }
}

#[test]
fn extracted_answers_are_compared_without_what_does_not_matter() {
    for (extracted, gold, wanted) in [
        ("1,234", "#### 1234", true),
        ("$18.", "so 18\n#### 18", true),
        ("18.0", "#### 18", false),
        ("-3", "#### 3", false),
        ("...", "#### 3", false),
        (INVALID, "#### 3", false),
    ] {
        assert_eq!(right(extracted, gold), wanted, "{extracted} against {gold}");
    }
}

fn shot(question: &str, answer: &str) -> Shot {
    Shot { question: question.to_owned(), answer: answer.to_owned() }
}

#[test]
fn a_prompt_is_its_examples_and_the_question() {
    let shots = [shot("1+1?", "It is 2.\n#### 2"), shot("2+2?", "#### 4")];
    assert_eq!(
        prompt(&shots, "3+3?"),
        "Question: 1+1?\nAnswer: It is 2.\n#### 2\n\nQuestion: 2+2?\nAnswer: #### 4\n\nQuestion: 3+3?\nAnswer:"
    );
}

#[test]
fn a_model_is_asked_every_question() {
    let model = demo();
    let rows = json_lines(
        "few.jsonl",
        "{\"question\": \"1+1?\", \"answer\": \"#### 2\"}\n\n{\"question\": \"2+3?\", \"answer\": \"#### 5\"}\n",
    )
    .unwrap();
    let params = GenerateParams { max_tokens: 12, ..GenerateParams::default() };
    let shots = [shot("4+4?", "#### 8")];
    let found = gsm8k(model.subject(), &rows, &shots, Profile::LmEvalCurrent, &params, &Silent).unwrap();
    assert_eq!(found.items.iter().map(|item| item.line).collect::<Vec<_>>(), [1, 3]);
    for (at, metric) in found.metrics.iter().enumerate() {
        let rights = found.items.iter().filter(|item| item.extracted[at].1).count();
        assert_eq!((metric.name.as_str(), metric.filter.as_str()), ("exact_match", Extraction::ALL[at].name()));
        assert_eq!((metric.value, metric.n), (rights as f64 / 2.0, 2));
    }
    let broken = json_lines("few.jsonl", "{\"question\": \"1+1?\"}").unwrap();
    let refused = gsm8k(model.subject(), &broken, &shots, Profile::LmEvalCurrent, &params, &Silent);
    assert!(refused.unwrap_err().to_string().starts_with("few.jsonl, line 1: the column \"answer\" is missing"));
}
