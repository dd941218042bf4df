//! Strings and sorting: short lists of words or numbers. 12 percent of the pool.

use super::{Task, order, question};
use crate::draw::Draw;

pub const SUBS: [&str; 7] = ["sort words", "sort numbers", "backwards", "pick", "count", "take out", "first letters"];

/// One word for almost every letter, so that a list has one alphabetical order by first letters.
pub const WORDS: [&str; 24] = [
    "acorn", "brick", "cactus", "dagger", "ember", "fossil", "garlic", "hazel", "icicle", "jigsaw", "kennel",
    "lantern", "marble", "nettle", "orchid", "pepper", "quartz", "raisin", "sponge", "thimble", "urchin", "velvet",
    "walnut", "zipper",
];

pub fn task(sub: usize, draw: &mut Draw) -> Task {
    match SUBS[sub] {
        "sort words" => {
            let words = draw.several(&WORDS[..16], 3);
            let mut sorted = words.clone();
            sorted.sort_unstable();
            let wording = draw.pick(&["Arrange the words from A to Z.", "Put the list in dictionary order."]);
            Task::new(order(draw, wording), words.join(", "), sorted.join(", "))
        }
        "sort numbers" => {
            let mut numbers: Vec<u32> = Vec::new();
            while numbers.len() < 3 {
                let next = draw.number(1, 9);
                if !numbers.contains(&next) {
                    numbers.push(next);
                }
            }
            let input = joined(&numbers);
            numbers.sort_unstable();
            let wording = draw.pick(&[
                "Line up the numbers from low to high.",
                "Start with the lowest value and end with the highest.",
            ]);
            Task::new(order(draw, wording), input, joined(&numbers))
        }
        "backwards" => {
            let words = draw.several(&WORDS, 3);
            let mut flipped = words.clone();
            flipped.reverse();
            let wording = draw.pick(&["Read the list backwards.", "Flip the order of the list."]);
            Task::new(order(draw, wording), words.join(", "), flipped.join(", "))
        }
        "pick" => {
            let count = draw.number(3, 4) as usize;
            let words = draw.several(&WORDS, count);
            let (place, at) = match draw.index(4) {
                0 => ("first", 0),
                1 => ("second", 1),
                2 => ("third", 2),
                _ => ("last", count - 1),
            };
            let wording = if draw.chance(0.5) {
                let text = format!("Name the {place} item.");
                order(draw, &text)
            } else {
                let text = format!("What stands in {place} place?");
                question(draw, &text)
            };
            Task::new(wording, words.join(", "), words[at])
        }
        "count" => {
            let count = draw.number(2, 6) as usize;
            let words = draw.several(&WORDS, count);
            let wording = draw.pick(&["How long is the list?", "How many items are listed?"]);
            Task::new(question(draw, wording), words.join(", "), count.to_string())
        }
        "take out" => {
            let count = 3;
            let words = draw.several(&WORDS, count);
            let out = words[draw.index(count)];
            let rest: Vec<&str> = words.iter().copied().filter(|w| *w != out).collect();
            let wording = if draw.chance(0.5) {
                format!("Take {out} out of the list.")
            } else {
                format!("List everything except {out}.")
            };
            Task::new(order(draw, &wording), words.join(", "), rest.join(", "))
        }
        _ => {
            let words = draw.several(&WORDS, 3);
            let letters: Vec<&str> = words.iter().map(|w| &w[..1]).collect();
            let wording = draw.pick(&["Give the opening letter of each item.", "Cut every item down to one letter."]);
            Task::new(order(draw, wording), words.join(", "), letters.join(", "))
        }
    }
}

fn joined(numbers: &[u32]) -> String {
    let texts: Vec<String> = numbers.iter().map(u32::to_string).collect();
    texts.join(", ")
}
