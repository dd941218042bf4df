//! Rewriting: one short sentence put into another form. 42 percent of the pool.

use super::{Task, order};
use crate::draw::Draw;

pub const SUBS: [&str; 9] = [
    "past",
    "future",
    "negation",
    "plural actor",
    "passive",
    "question",
    "swap a word",
    "trim adjectives",
    "first person",
];

const ACTORS: [&str; 12] = [
    "miller", "potter", "weaver", "captain", "tailor", "farmer", "nurse", "judge", "porter", "hunter", "singer",
    "pilot",
];
const THINGS: [&str; 16] = [
    "barrel", "anchor", "violin", "saddle", "curtain", "hammer", "parcel", "statue", "helmet", "teapot", "cabinet",
    "ribbon", "shovel", "compass", "cradle", "goblet",
];
const ADJECTIVES: [&str; 8] = ["heavy", "golden", "dusty", "narrow", "crooked", "silver", "wooden", "fragile"];
const PLACES: [&str; 5] =
    ["near the river", "behind the mill", "at the harbor", "under the bridge", "beside the tower"];

/// Base, third person, past, participle.
const VERBS: [[&str; 4]; 14] = [
    ["lift", "lifts", "lifted", "lifted"],
    ["wash", "washes", "washed", "washed"],
    ["paint", "paints", "painted", "painted"],
    ["mend", "mends", "mended", "mended"],
    ["drop", "drops", "dropped", "dropped"],
    ["polish", "polishes", "polished", "polished"],
    ["borrow", "borrows", "borrowed", "borrowed"],
    ["wrap", "wraps", "wrapped", "wrapped"],
    ["hide", "hides", "hid", "hidden"],
    ["break", "breaks", "broke", "broken"],
    ["steal", "steals", "stole", "stolen"],
    ["choose", "chooses", "chose", "chosen"],
    ["shake", "shakes", "shook", "shaken"],
    ["watch", "watches", "watched", "watched"],
];

const WORDINGS: [[&str; 3]; 9] = [
    ["Say that this was done a week ago.", "Move this sentence into the past.", "Use the past form of the verb."],
    ["Say that this will happen later.", "Move this sentence into the future.", "Use the future form of the verb."],
    ["Deny this sentence.", "Turn it into a negative statement.", "Say that this is not so."],
    ["Let more than one person do it.", "Give the sentence several actors.", "Make the first noun plural."],
    ["Begin the sentence with the object.", "Rephrase it in the passive.", "Say what is done, and by whom."],
    ["Ask it as a question.", "Turn this into a question with does.", "Make a yes or no question."],
    ["", "", ""],
    [
        "Leave out every adjective.",
        "Strip the sentence of its adjectives.",
        "Keep the nouns but drop what describes them.",
    ],
    ["Tell it about yourself.", "Put I in place of the actor.", "Say it in the first person."],
];

struct Scene {
    actor: &'static str,
    verb: [&'static str; 4],
    adjective: Option<&'static str>,
    thing: &'static str,
    place: Option<&'static str>,
}

impl Scene {
    fn draw(draw: &mut Draw, with_adjective: f64, with_place: f64) -> Self {
        Self {
            actor: draw.pick(&ACTORS),
            verb: VERBS[draw.index(VERBS.len())],
            adjective: draw.chance(with_adjective).then(|| draw.pick(&ADJECTIVES)),
            thing: draw.pick(&THINGS),
            place: draw.chance(with_place).then(|| draw.pick(&PLACES)),
        }
    }

    fn object(&self) -> String {
        match self.adjective {
            Some(adjective) => format!("the {adjective} {}", self.thing),
            None => format!("the {}", self.thing),
        }
    }

    fn tail(&self) -> String {
        self.place.map(|p| format!(" {p}")).unwrap_or_default()
    }

    /// "The miller {verb} the barrel near the river" without its mark.
    fn with(&self, subject: &str, verb: &str) -> String {
        format!("{subject} {verb} {}{}", self.object(), self.tail())
    }

    fn plain(&self) -> String {
        format!("{}.", self.with(&format!("The {}", self.actor), self.verb[1]))
    }
}

pub fn task(sub: usize, draw: &mut Draw) -> Task {
    let with_adjective = if SUBS[sub] == "trim adjectives" { 1.0 } else { 0.4 };
    let mut scene = Scene::draw(draw, with_adjective, 0.4);
    let input = scene.plain();
    let subject = format!("The {}", scene.actor);
    let output = match SUBS[sub] {
        "past" => format!("{}.", scene.with(&subject, scene.verb[2])),
        "future" => format!("{}.", scene.with(&format!("{subject} will"), scene.verb[0])),
        "negation" => format!("{}.", scene.with(&format!("{subject} does not"), scene.verb[0])),
        "plural actor" => format!("{}.", scene.with(&format!("{subject}s"), scene.verb[0])),
        "passive" => {
            format!("The {} is {} by the {}.", scene.object().trim_start_matches("the "), scene.verb[3], scene.actor)
        }
        "question" => format!("{}?", scene.with(&format!("Does the {}", scene.actor), scene.verb[0])),
        "swap a word" => {
            let old;
            let new;
            if draw.chance(0.5) {
                old = scene.actor;
                new = loop {
                    let other = draw.pick(&ACTORS);
                    if other != old {
                        break other;
                    }
                };
                scene.actor = new;
            } else {
                old = scene.thing;
                new = loop {
                    let other = draw.pick(&THINGS);
                    if other != old {
                        break other;
                    }
                };
                scene.thing = new;
            }
            let wording = if draw.chance(0.5) {
                format!("Swap {old} for {new}.")
            } else {
                format!("Say {new} where it says {old}.")
            };
            return Task::new(order(draw, &wording), input, scene.plain());
        }
        "trim adjectives" => {
            scene.adjective = None;
            scene.plain()
        }
        _ => format!("{}.", scene.with("I", scene.verb[0])),
    };
    let wording = draw.pick(&WORDINGS[sub]);
    Task::new(order(draw, wording), input, output)
}
