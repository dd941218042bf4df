//! Reads a recipe against the table of fields. Every problem is found in one pass and told with file, line, key and
//! what is allowed; an unknown key is a problem, and so is a missing one: nothing that changes a number is assumed.

use std::{collections::BTreeMap, ops::Range, path::Path};

use paser_protocol::{ArmData, Budget};
use toml::de::{DeTable, DeValue};

use super::fields::{ARM, ARM_FIELDS, FIELDS, Field, Kind, LATER, LATER_KEYS, SECTIONS, SELECTION, SELECTION_FIELDS};
use super::render::parsed_default;
use crate::ProjectError;

/// A value of the right kind.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Parsed {
    Text(String),
    Integer(i64),
    Number(f64),
    Flag(bool),
    List(Vec<String>),
    Numbers(Vec<u64>),
}

pub(super) type Values = BTreeMap<&'static str, Parsed>;

/// All values, keyed by `section.key`, and one table per selection and arm.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub values: BTreeMap<String, Parsed>,
    pub selections: Vec<Values>,
    pub arms: Vec<Values>,
    /// Sections that are not there and hold their defaults.
    pub assumed: Vec<&'static str>,
}

pub(super) struct Problems<'a> {
    path: &'a Path,
    text: &'a str,
    found: Vec<(usize, String)>,
}

impl Problems<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count()
    }

    pub(super) fn add(&mut self, at: usize, what: &str) {
        let line = self.line(at);
        self.found.push((line, format!("{}:{line}: {what}", self.path.display())));
    }

    pub(super) fn finish(mut self) -> Result<(), ProjectError> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|(line, _)| *line);
        Err(ProjectError::Recipe { problems: self.found.into_iter().map(|(_, what)| what).collect() })
    }
}

/// Parses and checks kinds, ranges and names of keys.
pub(super) fn document<'a>(text: &'a str, path: &'a Path) -> Result<Document, ProjectError> {
    let mut problems = Problems { path, text, found: Vec::new() };
    let root = match DeTable::parse(text) {
        Ok(root) => root,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            problems.add(at, &error.message().replace('\n', "; "));
            problems.finish()?;
            return Ok(Document::default());
        }
    };
    let mut document = Document::default();
    let end = text.len();

    for (key, value) in root.get_ref() {
        let name: &str = key.get_ref();
        let known = FIELDS.iter().any(|field| field.section.is_empty() && field.key == name)
            || SECTIONS.iter().any(|(section, _)| *section == name)
            || name == SELECTION
            || name == ARM;
        if !known {
            problems.add(key.span().start, &unknown("", name, value.get_ref()));
        }
    }
    read_fields(root.get_ref(), "", FIELDS, 0, &mut problems, |field, value| {
        document.values.insert(field.key.to_owned(), value);
    });
    for (section, _) in SECTIONS {
        let Some((key, value)) = entry(root.get_ref(), section) else {
            if LATER.contains(section) {
                document.assumed.push(section);
                for field in FIELDS.iter().filter(|field| field.section == *section) {
                    document.values.insert(format!("{section}.{}", field.key), parsed_default(field));
                }
            } else {
                problems.add(end, &format!("the section [{section}] is missing"));
            }
            continue;
        };
        let DeValue::Table(table) = value.get_ref() else {
            problems.add(key.start, &format!("`{section}` must be a section: [{section}]"));
            continue;
        };
        check_keys(table, section, FIELDS, &mut problems);
        read_fields(table, section, FIELDS, key.start, &mut problems, |field, value| {
            document.values.insert(format!("{section}.{}", field.key), value);
        });
    }
    for (list, fields) in [(SELECTION, SELECTION_FIELDS), (ARM, ARM_FIELDS)] {
        if let Some((key, value)) = entry(root.get_ref(), list) {
            let found = read_list((list, fields), value.get_ref(), key.start, &mut problems);
            *(if list == ARM { &mut document.arms } else { &mut document.selections }) = found;
        }
    }
    problems.finish()?;
    Ok(document)
}

/// The entries of a list of sections, each with a name of its own.
fn read_list(
    (list, fields): (&'static str, &'static [Field]),
    value: &DeValue<'_>,
    at: usize,
    problems: &mut Problems<'_>,
) -> Vec<Values> {
    let form = format!("`{list}` must be a list of sections: [[{list}]]");
    let mut found: Vec<Values> = Vec::new();
    let DeValue::Array(entries) = value else {
        problems.add(at, &form);
        return found;
    };
    let one = if list == ARM { "an arm" } else { "a selection" };
    for entry in entries.iter() {
        let DeValue::Table(table) = entry.get_ref() else {
            problems.add(entry.span().start, &form);
            continue;
        };
        check_keys(table, list, fields, problems);
        let mut values = Values::new();
        read_fields(table, list, fields, entry.span().start, problems, |field, value| {
            values.insert(field.key, value);
        });
        let name = match values.get("name") {
            Some(Parsed::Text(name)) => name.clone(),
            _ => String::new(),
        };
        if name.trim().is_empty() {
            problems.add(entry.span().start, &format!("{one} needs a name"));
        }
        if found.iter().any(|other| other.get("name") == values.get("name")) {
            let what = one.split_once(' ').map_or(one, |(_, what)| what);
            problems.add(entry.span().start, &format!("the {what} name `{name}` stands twice"));
        }
        if let Some(Parsed::Text(data)) = values.get("data")
            && arm_data(data).is_none()
        {
            let what = format!("`data` must be \"selection NAME\" or \"cluster N\", not {data:?}");
            problems.add(entry.span().start, &what);
        }
        found.push(values);
    }
    found
}

/// What an arm is trained on, as a recipe writes it.
pub(super) fn arm_data(text: &str) -> Option<ArmData> {
    if let Some(name) = text.strip_prefix("selection ") {
        let name = name.trim();
        return (!name.is_empty()).then(|| ArmData::Selection { name: name.to_owned() });
    }
    text.strip_prefix("cluster ")?.trim().parse().ok().map(|cluster| ArmData::Cluster { cluster })
}

fn entry<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<(Range<usize>, &'t toml::Spanned<DeValue<'i>>)> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(key, value)| (key.span(), value))
}

fn check_keys(table: &DeTable<'_>, section: &str, fields: &[Field], problems: &mut Problems<'_>) {
    for (key, value) in table {
        let name: &str = key.get_ref();
        if !fields.iter().any(|field| field.section == section && field.key == name) {
            problems.add(key.span().start, &unknown(section, name, value.get_ref()));
        }
    }
}

fn unknown(section: &str, name: &str, value: &DeValue<'_>) -> String {
    if section.is_empty() && matches!(value, DeValue::Table(_)) {
        let sections: Vec<_> = SECTIONS.iter().map(|(section, _)| *section).collect();
        return format!("there is no section [{name}]; the sections are {}", sections.join(", "));
    }
    let fields = match section {
        SELECTION => SELECTION_FIELDS,
        ARM => ARM_FIELDS,
        _ => FIELDS,
    };
    let keys: Vec<_> = fields.iter().filter(|field| field.section == section).map(|field| field.key).collect();
    let place = if section.is_empty() { "at the top".to_owned() } else { format!("in [{section}]") };
    format!("there is no key `{name}` {place}; the keys are {}", keys.join(", "))
}

fn read_fields(
    table: &DeTable<'_>,
    section: &str,
    fields: &'static [Field],
    section_at: usize,
    problems: &mut Problems<'_>,
    mut take: impl FnMut(&'static Field, Parsed),
) {
    for field in fields.iter().filter(|field| field.section == section) {
        match entry(table, field.key) {
            None if LATER_KEYS.contains(&(section, field.key)) => take(field, parsed_default(field)),
            None => {
                let place = if section.is_empty() { String::new() } else { format!(" in [{section}]") };
                problems.add(
                    section_at,
                    &format!(
                        "`{}` is missing{place}; the usual line is `{} = {}`",
                        field.key, field.key, field.default
                    ),
                );
            }
            Some((_, value)) => match convert(field.kind, value.get_ref()) {
                Some(value) => take(field, value),
                None => problems.add(
                    value.span().start,
                    &format!("`{}` must be {}, not {}", field.key, field.kind.allowed(), shown(value.get_ref())),
                ),
            },
        }
    }
}

fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(flag) => flag.to_string(),
        other => format!("a value of type {}", other.type_str()),
    }
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
        _ => integer(value).map(|whole| whole as f64),
    }
}

fn convert(kind: Kind, value: &DeValue<'_>) -> Option<Parsed> {
    let text = value.as_str();
    match kind {
        Kind::Text => text.map(|text| Parsed::Text(text.to_owned())),
        Kind::Choice(words) => text.filter(|text| words.contains(text)).map(|text| Parsed::Text(text.to_owned())),
        Kind::Integer { min, max } => integer(value).filter(|n| (min..=max).contains(n)).map(Parsed::Integer),
        Kind::Number { min, max } => number(value).filter(|n| (min..=max).contains(n)).map(Parsed::Number),
        Kind::Flag => value.as_bool().map(Parsed::Flag),
        Kind::Clusters => match text {
            Some("automatic" | "fine" | "coarse") => text.map(|text| Parsed::Text(text.to_owned())),
            Some(_) => None,
            None => integer(value).filter(|k| (1..=1000).contains(k)).map(Parsed::Integer),
        },
        Kind::HoldOut => match text {
            Some("none") => Some(Parsed::Text("none".to_owned())),
            Some(text) => {
                let divisor: i64 = text.strip_prefix("multiples of ")?.trim().parse().ok()?;
                (divisor >= 1).then_some(Parsed::Integer(divisor))
            }
            None => match value.as_array() {
                Some(ids) => ids
                    .iter()
                    .map(|id| match id.get_ref() {
                        DeValue::String(text) => Some(text.to_string()),
                        other => integer(other).map(|number| number.to_string()),
                    })
                    .collect::<Option<Vec<_>>>()
                    .map(Parsed::List),
                None => number(value).filter(|share| (0.0..1.0).contains(share)).map(Parsed::Number),
            },
        },
        Kind::Budget => text.filter(|text| text.parse::<Budget>().is_ok()).map(|text| Parsed::Text(text.to_owned())),
        Kind::PerSample => match text {
            Some("all") => Some(Parsed::Text("all".to_owned())),
            Some(_) => None,
            None => integer(value).filter(|n| (1..=100).contains(n)).map(Parsed::Integer),
        },
        Kind::Seeds => {
            let seeds =
                value.as_array()?.iter().map(|seed| integer(seed.get_ref()).and_then(|seed| seed.try_into().ok()));
            let seeds: Vec<u64> = seeds.collect::<Option<_>>()?;
            let distinct: std::collections::BTreeSet<u64> = seeds.iter().copied().collect();
            (!seeds.is_empty() && distinct.len() == seeds.len()).then_some(Parsed::Numbers(seeds))
        }
        Kind::Own { min, max } => match text {
            Some("shared") => Some(Parsed::Text("shared".to_owned())),
            Some(_) => None,
            None => number(value).filter(|n| (min..=max).contains(n)).map(Parsed::Number),
        },
        Kind::Files | Kind::Models => {
            let paths = value.as_array()?.iter().map(|path| path.get_ref().as_str().filter(|path| !path.is_empty()));
            paths.map(|path| path.map(str::to_owned)).collect::<Option<Vec<_>>>().map(Parsed::List)
        }
    }
}

/// The bytes of a value in the text, for an edit that leaves everything else as it was.
pub(super) fn value_span(text: &str, section: &str, key: &str) -> Option<Range<usize>> {
    let root = DeTable::parse(text).ok()?;
    let table = if section.is_empty() {
        root.get_ref()
    } else {
        match entry(root.get_ref(), section)?.1.get_ref() {
            DeValue::Table(table) => table,
            _ => return None,
        }
    };
    entry(table, key).map(|(_, value)| value.span())
}
