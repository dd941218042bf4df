//! The number that an answer to a GSM8K problem gives, by lm-evaluation-harness's two filters (`tasks/gsm8k/gsm8k.yaml`).

use std::sync::LazyLock;

use regex::Regex;

/// What is cut off before answers are compared: thousands separators, dollars, what leads to the answer, a last dot.
fn plain(text: &str) -> String {
    let text = text.replace([',', '$'], "");
    let text = text.rsplit("#### ").next().unwrap_or_default();
    text.strip_suffix('.').unwrap_or(text).trim().to_owned()
}

/// The number behind `####`, as the strict filter finds it: the first one.
pub fn strict(answer: &str) -> Option<String> {
    static AT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"#### (\-?[0-9\.\,]+)").ok());
    let found = AT.as_ref()?.captures(answer)?;
    Some(plain(found.get(1)?.as_str())).filter(|number| !number.is_empty())
}

/// The last number of the text, as the flexible filter finds it.
pub fn flexible(answer: &str) -> Option<String> {
    static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(-?[$0-9.,]{2,})|(-?[0-9]+)").ok());
    let found = NUMBER.as_ref()?.find_iter(answer).last()?;
    Some(plain(found.as_str())).filter(|number| !number.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;

    #[test]
    fn every_gold_answer_is_found_by_both_filters() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/eval/gsm8k_test.jsonl");
        let Ok(text) = fs_err::read_to_string(&path) else {
            eprintln!("skipped: {} is not there", path.display());
            return;
        };
        let mut count = 0;
        for line in text.lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let answer = row["answer"].as_str().unwrap();
            let gold = answer.rsplit("#### ").next().unwrap().trim().replace(',', "");
            assert_eq!(strict(answer).as_deref(), Some(gold.as_str()), "{answer}");
            assert_eq!(flexible(answer).as_deref(), Some(gold.as_str()), "{answer}");
            count += 1;
        }
        assert_eq!(count, 1319);
    }

    #[test]
    fn odd_formats_give_what_the_reference_filters_give() {
        // text, strict, flexible
        let cases: [(&str, Option<&str>, Option<&str>); 30] = [
            ("#### 72", Some("72"), Some("72")),
            ("so it is #### 1,234", Some("1234"), Some("1234")),
            ("#### -5", Some("-5"), Some("-5")),
            ("#### 3.5", Some("3.5"), Some("3.5")),
            ("#### 18.", Some("18"), Some("18")),
            ("####72", None, Some("72")),
            ("#### $40", None, Some("40")),
            ("The answer is 42.", None, Some("42")),
            ("The answer is $1,250.", None, Some("1250")),
            ("7", None, Some("7")),
            ("no number at all", None, None),
            ("", None, None),
            ("#### ", None, None),
            ("#### seven", None, None),
            ("First 3, then 4", None, Some("4")),
            ("3 + 4 = 7 apples", None, Some("7")),
            ("#### 5\nQuestion: and 9?", Some("5"), Some("9")),
            ("#### 5 #### 6", Some("5"), Some("6")),
            ("-12", None, Some("-12")),
            ("minus 12", None, Some("12")),
            ("$0.50", None, Some("0.50")),
            ("50%", None, Some("50")),
            ("1/2", None, Some("2")),
            ("10:30", None, Some("30")),
            ("#### 2,000,000", Some("2000000"), Some("2000000")),
            ("it costs 5 dollars and 25 cents", None, Some("25")),
            ("x = 2^3", None, Some("3")),
            ("#### 0", Some("0"), Some("0")),
            ("#### 007", Some("007"), Some("007")),
            ("Total: 12 (twelve)", None, Some("12")),
        ];
        for (text, by_strict, by_flexible) in cases {
            assert_eq!(strict(text).as_deref(), by_strict, "strict: {text:?}");
            assert_eq!(flexible(text).as_deref(), by_flexible, "flexible: {text:?}");
        }
    }
}
