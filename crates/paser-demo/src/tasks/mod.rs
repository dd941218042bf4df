//! The six capabilities and what they have in common: a task with its answer, wordings, openings.
//! Each capability has its own file with its word lists, sub-types and wordings.

pub mod arithmetic;
pub mod chains;
pub mod code;
pub mod facts;
pub mod rewriting;
pub mod strings;

use crate::draw::Draw;
use crate::split::{Part, part_of};
use crate::world::World;

/// What a sample asks of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    Rewriting,
    Facts,
    Strings,
    Chains,
    Arithmetic,
    Code,
}

impl Capability {
    pub const ALL: [Self; 6] =
        [Self::Rewriting, Self::Facts, Self::Strings, Self::Chains, Self::Arithmetic, Self::Code];

    pub fn name(self) -> &'static str {
        match self {
            Self::Rewriting => "rewriting",
            Self::Facts => "facts",
            Self::Strings => "strings",
            Self::Chains => "chains",
            Self::Arithmetic => "arithmetic",
            Self::Code => "code",
        }
    }

    /// Sub-types, each a different kind of task.
    pub fn subs(self) -> &'static [&'static str] {
        match self {
            Self::Rewriting => &rewriting::SUBS,
            Self::Facts => &facts::SUBS,
            Self::Strings => &strings::SUBS,
            Self::Chains => &chains::SUBS,
            Self::Arithmetic => &arithmetic::SUBS,
            Self::Code => &code::SUBS,
        }
    }

    /// Samples of this capability in the pool of 3,000: 42, 25, 12, 9, 6 and 6 percent.
    pub fn pool_size(self) -> usize {
        match self {
            Self::Rewriting => 1260,
            Self::Facts => 750,
            Self::Strings => 360,
            Self::Chains => 270,
            Self::Arithmetic | Self::Code => 180,
        }
    }

    /// One task of a sub-type (an index into [`Capability::subs`]).
    pub fn task(self, sub: usize, world: &World, draw: &mut Draw) -> Task {
        match self {
            Self::Rewriting => rewriting::task(sub, draw),
            Self::Facts => facts::task(sub, world, draw),
            Self::Strings => strings::task(sub, draw),
            Self::Chains => chains::task(sub, draw),
            Self::Arithmetic => arithmetic::task(sub, draw),
            Self::Code => code::task(sub, draw),
        }
    }
}

/// An instruction, its input (may be empty) and the one right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    pub instruction: String,
    pub input: String,
    pub output: String,
    /// What decides the split when it is not the text: see [`part_of`].
    pub operands: Option<String>,
}

impl Task {
    pub fn new(instruction: impl Into<String>, input: impl Into<String>, output: impl Into<String>) -> Self {
        Self { instruction: instruction.into(), input: input.into(), output: output.into(), operands: None }
    }

    /// Splits by these operands rather than by the text.
    pub fn by_operands(mut self, operands: String) -> Self {
        self.operands = Some(operands);
        self
    }

    /// Instruction, newline, input.
    pub fn text(&self) -> String {
        format!("{}\n{}", self.instruction, self.input)
    }

    pub fn part(&self) -> Part {
        match &self.operands {
            Some(operands) => part_of(operands),
            None => part_of(&self.text()),
        }
    }
}

/// An order ("Flip the list.") with one of its openings.
pub fn order(draw: &mut Draw, text: &str) -> String {
    match draw.index(6) {
        0 => format!("Please {}", lower_first(text)),
        1 => format!("Next task: {text}"),
        _ => text.to_owned(),
    }
}

/// A question ("Which word comes last?") with one of its openings.
pub fn question(draw: &mut Draw, text: &str) -> String {
    match draw.index(6) {
        0 => format!("Tell me: {text}"),
        1 => format!("One more: {text}"),
        _ => text.to_owned(),
    }
}

/// The text with its first letter in lower case.
pub fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// The text with its first letter in upper case.
pub fn upper_first(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
