//! Facts of the invented coast: asked for shortly, in a sentence, in reverse, in pairs, or to be set right.
//! 25 percent of the pool.

use super::Task;
use crate::draw::Draw;
use crate::world::{CRAFTS, DAYS, GOODS, HARBORS, LIGHTS, PETS, World};

pub const SUBS: [&str; 9] =
    ["light", "goods", "market", "craft", "home", "pet", "who or where", "two facts", "set right"];

/// The six kinds of fact, in the order of the first six sub-types: three wordings, the last for a sentence.
const WORDINGS: [[&str; 3]; 6] = [
    [
        "What color is the light of {}?",
        "Which color shines from the tower of {}?",
        "Describe the light of {} in one sentence.",
    ],
    ["What does {} ship abroad?", "Which cargo leaves {}?", "Say in one sentence what {} ships."],
    [
        "On which day is the market of {}?",
        "When do people trade in {}?",
        "Say in one sentence when {} holds its market.",
    ],
    ["What is the craft of {}?", "How does {} earn a living?", "Say in one sentence what {} does."],
    ["In which harbor does {} sleep?", "Which harbor is home to {}?", "Say in one sentence where {} lives."],
    ["Which animal follows {}?", "What pet belongs to {}?", "Say in one sentence which pet {} keeps."],
];

fn opened(draw: &mut Draw, text: String) -> String {
    match draw.index(8) {
        0 => format!("In Osmarra: {text}"),
        1 => format!("For the logbook: {text}"),
        2 => format!("A stranger asks: {text}"),
        3 => format!("Tell me: {text}"),
        4 => format!("Once more: {text}"),
        _ => text,
    }
}

/// Name and value of fact `kind` (0 to 5) of harbor or person `which`.
fn fact(world: &World, kind: usize, which: usize) -> (&'static str, &'static str) {
    let harbor = &world.harbors[which];
    let person = &world.people[which];
    match kind {
        0 => (harbor.name, harbor.light),
        1 => (harbor.name, harbor.goods),
        2 => (harbor.name, harbor.market),
        3 => (person.name, person.craft),
        4 => (person.name, person.home),
        _ => (person.name, person.pet),
    }
}

fn values(kind: usize) -> &'static [&'static str] {
    match kind {
        0 => &LIGHTS,
        1 => &GOODS,
        2 => &DAYS,
        3 => &CRAFTS,
        4 => &HARBORS,
        _ => &PETS,
    }
}

fn sentence(kind: usize, name: &str, value: &str) -> String {
    match kind {
        0 => format!("The light of {name} is {value}."),
        1 => format!("{name} ships {value}."),
        2 => format!("{name} holds its market on {value}."),
        3 => format!("{name} works as a {value}."),
        4 => format!("{name} lives in {value}."),
        _ => format!("{name} keeps a {value}."),
    }
}

pub fn task(sub: usize, world: &World, draw: &mut Draw) -> Task {
    let which = draw.index(10);
    let (instruction, output) = match SUBS[sub] {
        "who or where" => {
            let person = &world.people[which];
            let harbor = &world.harbors[which];
            let (text, answer) = match draw.index(5) {
                0 => (format!("Who works as a {}?", person.craft), person.name),
                1 => (format!("Who lives in {}?", person.home), person.name),
                2 => (format!("Who keeps a {}?", person.pet), person.name),
                3 => (format!("Where is the {} light?", harbor.light), harbor.name),
                _ => (format!("Which harbor ships {}?", harbor.goods), harbor.name),
            };
            (text, answer.to_owned())
        }
        "two facts" => {
            let person = &world.people[which];
            let harbor = &world.harbors[which];
            let (name, what, answer) = match draw.index(6) {
                0 => (person.name, "craft and home", [person.craft, person.home]),
                1 => (person.name, "home and pet", [person.home, person.pet]),
                2 => (person.name, "pet and craft", [person.pet, person.craft]),
                3 => (harbor.name, "light and cargo", [harbor.light, harbor.goods]),
                4 => (harbor.name, "cargo and market day", [harbor.goods, harbor.market]),
                _ => (harbor.name, "market day and light", [harbor.market, harbor.light]),
            };
            (format!("Give the {what} of {name}."), format!("{} and {}", answer[0], answer[1]))
        }
        "set right" => {
            let kind = draw.index(6);
            let (name, value) = fact(world, kind, which);
            let claimed = draw.pick(values(kind));
            let claim = sentence(kind, name, claimed);
            let wording = if draw.chance(0.5) {
                format!("Set this note right: {claim}")
            } else {
                format!("Copy this, with any mistake mended: {claim}")
            };
            (wording, sentence(kind, name, value))
        }
        _ => {
            let (name, value) = fact(world, sub, which);
            let wording = draw.index(3);
            let text = WORDINGS[sub][wording].replace("{}", name);
            let answer = if wording == 2 { sentence(sub, name, value) } else { value.to_owned() };
            (text, answer)
        }
    };
    Task::new(opened(draw, instruction), "", output)
}
