//! Arithmetic with small whole numbers. 6 percent of the pool. Additions, subtractions and comparisons are
//! split by their ordered operands.

use super::{Task, order, question};
use crate::draw::Draw;

pub const SUBS: [&str; 5] = ["add", "subtract", "multiply", "double", "larger"];

pub fn task(sub: usize, draw: &mut Draw) -> Task {
    match SUBS[sub] {
        "add" => {
            let (a, b) = (draw.number(10, 39), draw.number(2, 9));
            let text = if draw.chance(0.5) {
                let text = format!("What is {a} plus {b}?");
                question(draw, &text)
            } else {
                let text = format!("Find the sum of {a} and {b}.");
                order(draw, &text)
            };
            Task::new(text, "", format!("{a} + {b} = {}", a + b)).by_operands(format!("add {a} {b}"))
        }
        "subtract" => {
            let (a, b) = (draw.number(12, 39), draw.number(2, 9));
            let text = if draw.chance(0.5) {
                let text = format!("What is {a} minus {b}?");
                question(draw, &text)
            } else {
                let text = format!("Lower {a} by {b}.");
                order(draw, &text)
            };
            Task::new(text, "", format!("{a} - {b} = {}", a - b)).by_operands(format!("subtract {a} {b}"))
        }
        "multiply" => {
            let (a, b) = (draw.number(2, 6), draw.number(2, 9));
            let text = match draw.index(3) {
                0 => {
                    let text = format!("What is {a} times {b}?");
                    question(draw, &text)
                }
                1 => {
                    let text = format!("Use multiplication on {a} and {b}.");
                    order(draw, &text)
                }
                _ => {
                    let text = format!("Find the product of {a} and {b}.");
                    order(draw, &text)
                }
            };
            Task::new(text, "", format!("{a} * {b} = {}", a * b))
        }
        "double" => {
            let a = draw.number(2, 25);
            let text = match draw.index(3) {
                0 => {
                    let text = format!("What is {a} doubled?");
                    question(draw, &text)
                }
                1 => {
                    let text = format!("Make {a} twice as large.");
                    order(draw, &text)
                }
                _ => {
                    let text = format!("Count {a} twice and give the total.");
                    order(draw, &text)
                }
            };
            Task::new(text, "", format!("2 * {a} = {}", 2 * a))
        }
        _ => {
            let a = draw.number(10, 39);
            let b = loop {
                let b = draw.number(10, 39);
                if b != a {
                    break b;
                }
            };
            let text = if draw.chance(0.5) {
                let text = format!("Which is larger, {a} or {b}?");
                question(draw, &text)
            } else {
                let text = format!("Name the larger of {a} and {b}.");
                order(draw, &text)
            };
            let (high, low) = (a.max(b), a.min(b));
            Task::new(text, "", format!("{high} > {low}")).by_operands(format!("larger {a} {b}"))
        }
    }
}
