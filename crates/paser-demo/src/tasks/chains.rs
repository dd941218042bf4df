//! Reasoning chains: two or three steps, spelled out in the answer. 9 percent of the pool.

use super::{Task, upper_first};
use crate::draw::Draw;
use crate::world::DAYS;

pub const SUBS: [&str; 5] = ["ranking", "nested", "relay", "days ahead", "two sums"];

const NAMES: [&str; 10] = ["Rolf", "Mina", "Otto", "Petra", "Sven", "Tilda", "Viggo", "Karin", "Arlo", "Britta"];
const SMALL: [&str; 6] = ["coin", "ring", "stamp", "button", "needle", "whistle"];
const INNER: [&str; 4] = ["purse", "tin", "pouch", "jar"];
const OUTER: [&str; 4] = ["trunk", "crate", "drawer", "basket"];
const ROOMS: [&str; 5] = ["attic", "cellar", "study", "pantry", "garage"];
const GOODS: [&str; 5] = ["shells", "marbles", "tickets", "apples", "pencils"];

/// More of it, most of it, least of it.
const RANKS: [[&str; 3]; 3] =
    [["faster", "fastest", "slowest"], ["taller", "tallest", "shortest"], ["stronger", "strongest", "weakest"]];

const EVENTS: [[&str; 2]; 4] = [
    ["the boat sails", "it sails"],
    ["the fair opens", "it opens"],
    ["the race starts", "it starts"],
    ["the train leaves", "it leaves"],
];

pub fn task(sub: usize, draw: &mut Draw) -> Task {
    let (text, output) = match SUBS[sub] {
        "ranking" => {
            let n = draw.several(&NAMES, 3);
            let [more, most, least] = RANKS[draw.index(RANKS.len())];
            let first = format!("{} is {more} than {}.", n[0], n[1]);
            let second = format!("{} is {more} than {}.", n[1], n[2]);
            let (word, answer) = if draw.chance(0.5) { (most, n[0]) } else { (least, n[2]) };
            let premises = if draw.chance(0.25) { format!("{second} {first}") } else { format!("{first} {second}") };
            (
                format!("{premises} Who is the {word}?"),
                format!("{}, then {}, then {}: {answer} is the {word}.", n[0], n[1], n[2]),
            )
        }
        "nested" => {
            let thing = draw.pick(&SMALL);
            let inner = draw.pick(&INNER);
            let outer = draw.pick(&OUTER);
            let room = draw.pick(&ROOMS);
            let wording = if draw.chance(0.5) {
                format!("In which room is the {thing}?")
            } else {
                format!("Where would you find the {thing}?")
            };
            (
                format!(
                    "The {thing} is in the {inner}. The {inner} is in the {outer}. \
                     The {outer} is in the {room}. {wording}"
                ),
                format!("From {inner} to {outer} to {room}: the {thing} is in the {room}."),
            )
        }
        "relay" => {
            let n = draw.several(&NAMES, 3);
            let thing = draw.pick(&SMALL);
            let wording = if draw.chance(0.5) {
                format!("Who holds the {thing}?")
            } else {
                format!("Whose hands is the {thing} in?")
            };
            (
                format!("{} hands the {thing} to {}. {} hands it to {}. {wording}", n[0], n[1], n[1], n[2]),
                format!("{} to {}, then {} to {}: {} holds the {thing}.", n[0], n[1], n[1], n[2], n[2]),
            )
        }
        "days ahead" => {
            let start = draw.index(7);
            let ahead = draw.number(1, 3) as usize;
            let [event, it] = EVENTS[draw.index(EVENTS.len())];
            let unit = if ahead == 1 { "day" } else { "days" };
            let path: Vec<&str> = (0..=ahead).map(|i| DAYS[(start + i) % 7]).collect();
            let (question, event) = if draw.chance(0.5) {
                ("On which day is that?", upper_first(event))
            } else {
                ("Which day will it be?", upper_first(event))
            };
            (
                format!("Today is {}. {event} {ahead} {unit} from now. {question}", path[0]),
                format!("{}: {it} on {}.", path.join(", "), path[ahead]),
            )
        }
        _ => {
            let name = draw.pick(&NAMES);
            let goods = draw.pick(&GOODS);
            let start = draw.number(3, 9);
            let gain = draw.number(2, 5);
            let loss = draw.number(1, 3);
            let between = start + gain;
            let rest = between - loss;
            let question = if draw.chance(0.5) {
                "How many remain?".to_owned()
            } else {
                format!("How many {goods} are there now?")
            };
            (
                format!("{name} has {start} {goods}, gets {gain} more and loses {loss}. {question}"),
                format!("{start} + {gain} = {between}, then {between} - {loss} = {rest}: {rest} {goods}."),
            )
        }
    };
    let text = match draw.index(6) {
        0 => format!("Think it through. {text}"),
        _ => text,
    };
    Task::new(text, "", output)
}
