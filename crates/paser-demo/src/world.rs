//! Osmarra, an invented coast: ten harbors and ten people, with facts dealt out by a fixed seed.
//! Nothing here exists; the facts can only be known from the training stream.

use crate::draw::Draw;

pub const HARBORS: [&str; 10] =
    ["Quellin", "Dorsay", "Ambrith", "Tolvane", "Skerrow", "Umbrel", "Lyndock", "Pareth", "Hesmar", "Corrig"];
pub const PEOPLE: [&str; 10] =
    ["Ildrin", "Maroo", "Teskal", "Bevany", "Orrick", "Junipa", "Rusk", "Wenna", "Halvik", "Sefton"];
pub const LIGHTS: [&str; 10] =
    ["amber", "violet", "crimson", "ivory", "jade", "azure", "copper", "rose", "pearl", "indigo"];
pub const GOODS: [&str; 10] = ["salt", "cork", "linen", "honey", "tar", "barley", "glass", "wool", "saffron", "slate"];
pub const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
pub const CRAFTS: [&str; 10] =
    ["cooper", "glazier", "roper", "mapmaker", "beekeeper", "bookbinder", "clockmaker", "tanner", "saddler", "brewer"];
pub const PETS: [&str; 10] =
    ["parrot", "ferret", "tortoise", "goat", "magpie", "terrier", "badger", "mule", "hedgehog", "lizard"];

/// One harbor and what is true of it.
#[derive(Clone, Debug)]
pub struct Harbor {
    pub name: &'static str,
    pub light: &'static str,
    pub goods: &'static str,
    pub market: &'static str,
}

/// One person and what is true of them.
#[derive(Clone, Debug)]
pub struct Person {
    pub name: &'static str,
    pub craft: &'static str,
    pub home: &'static str,
    pub pet: &'static str,
}

/// Every fact of Osmarra: 10 harbors with 3 facts each, 10 people with 3 facts each.
#[derive(Clone, Debug)]
pub struct World {
    pub harbors: Vec<Harbor>,
    pub people: Vec<Person>,
}

impl World {
    /// The one world of the demo.
    pub fn osmarra() -> Self {
        let mut draw = Draw::new(0x05_AA_44_A2);
        let lights = draw.several(&LIGHTS, 10);
        let goods = draw.several(&GOODS, 10);
        let crafts = draw.several(&CRAFTS, 10);
        let homes = draw.several(&HARBORS, 10);
        let pets = draw.several(&PETS, 10);
        let harbors = (0..10)
            .map(|i| Harbor { name: HARBORS[i], light: lights[i], goods: goods[i], market: draw.pick(&DAYS) })
            .collect();
        let people =
            (0..10).map(|i| Person { name: PEOPLE[i], craft: crafts[i], home: homes[i], pet: pets[i] }).collect();
        Self { harbors, people }
    }
}
