//! From ranked phrases to the concepts of a sample: the best few, not too long, with a letter in them, plural and case
//! folded; or, literally, all of them (section 3 of the method).

use std::collections::HashSet;

use super::rake::rake;
use crate::params::{Concepts, PerSample};

/// Concepts of one sample, best first, without repetitions. `parts` are its texts (instruction, input, output).
pub fn sample_concepts(parts: &[&str], concepts: &Concepts) -> Vec<String> {
    let mut best: Vec<String> = Vec::new();
    match concepts.per_sample {
        PerSample::All => {
            // One text, as the authors' code joins it: there phrases do cross from the prompt into the response.
            let text = parts.join(" ");
            let mut seen = HashSet::new();
            best.extend(
                rake(&[&text]).into_iter().map(|(_, phrase)| phrase).filter(|phrase| seen.insert(phrase.clone())),
            );
        }
        PerSample::Best(count) => {
            for (_, phrase) in rake(parts) {
                if best.len() == count as usize {
                    break;
                }
                // Phrases of digits and marks alone say nothing about the subject.
                let lettered = phrase.chars().any(char::is_alphabetic);
                if !lettered || phrase.split(' ').count() > concepts.max_words as usize {
                    continue;
                }
                let folded = fold(&phrase);
                if !best.contains(&folded) {
                    best.push(folded);
                }
            }
        }
    }
    best
}

/// The phrase with every English plural in the singular; the phrase is lower case already.
fn fold(phrase: &str) -> String {
    let mut folded = String::with_capacity(phrase.len());
    for word in phrase.split(' ') {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(&singular(word));
    }
    folded
}

fn singular(word: &str) -> String {
    let unchanged =
        ["always", "besides", "lens", "news", "perhaps", "series", "sometimes", "species", "states", "texas"];
    let in_ie = [
        "brownies",
        "calories",
        "cookies",
        "genies",
        "hoodies",
        "movies",
        "rookies",
        "selfies",
        "smoothies",
        "veggies",
        "zombies",
    ];
    // Decades ("1980s") and names with digits are no plurals.
    let is_plural = word.ends_with('s')
        && word.chars().count() > 3
        && word.chars().all(char::is_alphabetic)
        && !["ss", "us", "is"].iter().any(|ending| word.ends_with(ending))
        && !unchanged.contains(&word);
    if !is_plural {
        return word.to_owned();
    }
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.chars().count() > 1 && !in_ie.contains(&word)) {
        return format!("{stem}y");
    }
    let drops_es = ["sses", "shes", "ches", "xes"].iter().any(|ending| word.ends_with(ending));
    // heroes and potatoes, but shoes and toes
    let drops_es = drops_es || word.ends_with("oes") && word.chars().count() > 5;
    word[..word.len() - if drops_es { 2 } else { 1 }].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_fold_to_one_form() {
        for (plural, singular_form) in [
            ("cities", "city"),
            ("ties", "tie"),
            ("cookies", "cookie"),
            ("boxes", "box"),
            ("classes", "class"),
            ("dishes", "dish"),
            ("heroes", "hero"),
            ("shoes", "shoe"),
            ("houses", "house"),
            ("apples", "apple"),
            ("analysis", "analysis"),
            ("virus", "virus"),
            ("class", "class"),
            ("gas", "gas"),
            ("news", "news"),
            ("1980s", "1980s"),
            ("na\u{ef}ves", "na\u{ef}ve"),
        ] {
            assert_eq!(singular(plural), singular_form);
        }
    }

    #[test]
    fn best_concepts_are_short_lettered_folded_and_distinct() {
        let concepts = Concepts::default();
        let text = "Red Apples, 12 34, red apple. Five extremely long winding phrases; 77";
        assert_eq!(sample_concepts(&[text], &concepts), ["red apple"]);
        let literal = Concepts { per_sample: PerSample::All, ..concepts };
        assert!(sample_concepts(&[text], &literal).contains(&"red apples".to_owned()));
        assert!(sample_concepts(&[text], &literal).contains(&"77".to_owned()));
    }
}
