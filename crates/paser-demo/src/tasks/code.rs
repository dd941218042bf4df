//! Small code: what a few lines print, and a few lines to write. 6 percent of the pool.

use super::strings::WORDS;
use super::{Task, order, question};
use crate::draw::Draw;

pub const SUBS: [&str; 6] = ["trace", "index", "condition", "append", "write a loop", "write a function"];

const NAMES: [&str; 4] = ["a", "b", "k", "n"];
const LISTS: [&str; 3] = ["box", "row", "bag"];
const FUNCTIONS: [&str; 4] = ["shift", "grow", "step", "bump"];

fn ask_output(draw: &mut Draw) -> String {
    let wording = draw.pick(&["What does this code show?", "What do these lines print?"]);
    question(draw, wording)
}

/// A Python list of these words.
fn quoted(words: &[&str]) -> String {
    let parts: Vec<String> = words.iter().map(|w| format!("\"{w}\"")).collect();
    format!("[{}]", parts.join(", "))
}

pub fn task(sub: usize, draw: &mut Draw) -> Task {
    match SUBS[sub] {
        "trace" => {
            let names = draw.several(&NAMES, 2);
            let (x, y) = (names[0], names[1]);
            let (a, b) = (draw.number(2, 9), draw.number(1, 5));
            let (sign, value) = if a > b && draw.chance(0.5) { ("-", a - b) } else { ("+", a + b) };
            Task::new(ask_output(draw), format!("{x} = {a}\n{y} = {x} {sign} {b}\nprint({y})"), value.to_string())
        }
        "index" => {
            let list = draw.pick(&LISTS);
            let words = draw.several(&WORDS[..12], 3);
            let at = draw.index(3);
            Task::new(ask_output(draw), format!("{list} = {}\nprint({list}[{at}])", quoted(&words)), words[at])
        }
        "condition" => {
            let name = draw.pick(&NAMES);
            let (a, b) = (draw.number(1, 9), draw.number(1, 9));
            let words = draw.several(&WORDS[..12], 2);
            Task::new(
                ask_output(draw),
                format!(
                    "{name} = {a}\nif {name} > {b}:\n    print(\"{}\")\nelse:\n    print(\"{}\")",
                    words[0], words[1]
                ),
                if a > b { words[0] } else { words[1] },
            )
        }
        "append" => {
            let list = draw.pick(&LISTS);
            let count = draw.number(1, 3) as usize;
            let words = draw.several(&WORDS[..12], count + 1);
            Task::new(
                ask_output(draw),
                format!(
                    "{list} = {}\n{list}.append(\"{}\")\nprint(len({list}))",
                    quoted(&words[..count]),
                    words[count]
                ),
                (count + 1).to_string(),
            )
        }
        "write a loop" => {
            let name = draw.pick(&NAMES);
            let start = draw.number(0, 9);
            let end = start + draw.number(2, 15);
            let wording = if draw.chance(0.5) {
                format!("Loop {name} over range({start}, {end}) and show it.")
            } else {
                format!("Write a loop that prints {name} in range({start}, {end}).")
            };
            Task::new(order(draw, &wording), "", format!("for {name} in range({start}, {end}):\n    print({name})"))
        }
        _ => {
            let function = draw.pick(&FUNCTIONS);
            let amount = draw.number(2, 29);
            let name = draw.pick(&NAMES);
            let (verb, sign) = match draw.index(3) {
                0 => ("plus", "+"),
                1 => ("minus", "-"),
                _ => ("times", "*"),
            };
            let wording = if draw.chance(0.5) {
                format!("Code a function {function} that gives {name} {verb} {amount}.")
            } else {
                format!("Write {function}({name}), which returns {name} {verb} {amount}.")
            };
            Task::new(order(draw, &wording), "", format!("def {function}({name}):\n    return {name} {sign} {amount}"))
        }
    }
}
