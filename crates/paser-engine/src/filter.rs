//! What the names of a filter expression mean in a project, and which samples it fits. `=` and `!=` compare a whole name
//! or text, `~` finds a part of it. A missing value fits no comparison.

use std::{cmp::Ordering, sync::atomic::AtomicBool};

use paser_data::{Categories, ColumnValues};
use paser_protocol::{
    ReasonCode, Report,
    filter::{Filter, Operator, TEXTS, Value, column_called},
};

use crate::{
    columns::{categories, compared_names, infos, numbers},
    loaded::Samples,
    session::{Loaded, Session},
    trouble::{Outcome, usage},
};

/// Names that stand for more than a column.
const SPECIAL: [&str; 4] = ["id", "cluster", "tag", "status"];
/// Names that stand alone.
const MARKS: [&str; 3] = ["pinned", "excluded", "hidden"];
/// Near names that an error lists.
const NEAR: usize = 4;

impl Session {
    /// The rows that a filter fits, rising.
    ///
    /// # Errors
    /// A filter that cannot be read or names what is not there.
    pub fn rows_where(&self, filter: &str) -> Outcome<Vec<u32>> {
        let fits = self.fitting(&self.loaded(), filter)?;
        Ok((0..).zip(fits).filter(|(_, fits)| *fits).map(|(row, _)| row).collect())
    }

    /// For every row whether the filter fits it.
    pub(crate) fn fitting(&self, loaded: &Loaded, text: &str) -> Outcome<Vec<bool>> {
        let filter = Filter::parse(text).map_err(|error| {
            usage(format!("The filter cannot be read {error}."), "An example: jsd > 0.2 and not tag = sql")
        })?;
        self.evaluate(&filter, loaded, loaded.samples()?)
    }

    /// A cluster by its number, its name, or a part of its name that no other one has.
    ///
    /// # Errors
    /// None, or more than one.
    pub fn cluster_named(&self, typed: &str) -> Outcome<u32> {
        let loaded = self.loaded();
        let names = cluster_names(&loaded)?;
        if let Ok(number) = typed.trim().parse::<u32>() {
            return number_of(number, names);
        }
        if let Some(exact) = called(names, typed.trim()).first() {
            return Ok(*exact);
        }
        let found = holding(names, typed.trim());
        match found.as_slice() {
            [only] => Ok(*only),
            [] => Err(no_such_cluster(typed, names)),
            several => {
                let names: Vec<&str> = several.iter().map(|cluster| names[*cluster as usize].as_str()).collect();
                Err(usage(format!("{typed} stands in several names: {}.", names.join("; ")), "Give more of the name."))
            }
        }
    }

    fn evaluate(&self, filter: &Filter, loaded: &Loaded, samples: &Samples) -> Outcome<Vec<bool>> {
        match filter {
            Filter::Any(parts) | Filter::All(parts) => {
                let any = matches!(filter, Filter::Any(_));
                let mut fits = vec![!any; samples.len()];
                for part in parts {
                    for (fits, part) in fits.iter_mut().zip(self.evaluate(part, loaded, samples)?) {
                        *fits = if any { *fits || part } else { *fits && part };
                    }
                }
                Ok(fits)
            }
            Filter::Not(inner) => {
                let mut fits = self.evaluate(inner, loaded, samples)?;
                fits.iter_mut().for_each(|fits| *fits = !*fits);
                Ok(fits)
            }
            Filter::Mark(name) => {
                let curated = &loaded.curated;
                let rows = match name.to_lowercase().as_str() {
                    "pinned" => &curated.marks.pinned,
                    "excluded" => &curated.marks.excluded,
                    "hidden" => &curated.hidden,
                    _ => return Err(no_mark(name, loaded, samples)),
                };
                Ok(of_rows(rows, samples))
            }
            Filter::Compare { name, operator, value } => {
                self.compared(&Comparison { name, operator: *operator, value }, loaded, samples)
            }
        }
    }

    fn compared(&self, asked: &Comparison<'_>, loaded: &Loaded, samples: &Samples) -> Outcome<Vec<bool>> {
        match asked.name.to_lowercase().as_str() {
            "id" => asked.of_texts(samples.ids.iter().map(|id| Some(id.as_str()))),
            "cluster" => asked.of_clusters(loaded),
            "tag" => asked.of_tags(loaded, samples),
            "status" => asked.of_reasons(&self.reasons_now()?),
            part if TEXTS.contains(&part) => {
                if asked.operator != Operator::Like {
                    return Err(usage(
                        format!("{part} is searched, not compared."),
                        format!("Write {part} ~ \"words\"."),
                    ));
                }
                let mut rows = self.found(&asked.value.text(), part)?;
                // While a new pool is taken in, the catalogue may be ahead of what is in memory.
                rows.retain(|row| (*row as usize) < samples.len());
                Ok(of_rows(&rows, samples))
            }
            _ => asked.of_column(loaded, samples),
        }
    }

    /// The reason of every sample in the selection of the plan being built; computed where it is not in memory.
    fn reasons_now(&self) -> Outcome<std::sync::Arc<[u8]>> {
        if let Some(selected) = self.current() {
            return Ok(selected.reasons.clone());
        }
        let plan = self.plan();
        self.quietly(&AtomicBool::new(false), |bench| {
            self.select_with(&plan, bench).map(|selected| selected.reasons.clone())
        })
    }
}

struct Comparison<'a> {
    name: &'a str,
    operator: Operator,
    value: &'a Value,
}

impl Comparison<'_> {
    /// Only what can be said of words: equal, not equal, holds.
    fn fits_text(&self, text: &str, wanted: &str) -> bool {
        match self.operator {
            Operator::Like => text.to_lowercase().contains(&wanted.to_lowercase()),
            operator => (text == wanted) == (operator == Operator::Equal),
        }
    }

    fn only_words(&self) -> Outcome<()> {
        match self.operator {
            Operator::Equal | Operator::NotEqual | Operator::Like => Ok(()),
            _ => Err(usage(format!("{} is text, which has no order.", self.name), "Compare it by =, != or ~.")),
        }
    }

    fn of_texts<'t>(&self, texts: impl Iterator<Item = Option<&'t str>>) -> Outcome<Vec<bool>> {
        self.only_words()?;
        let wanted = self.value.text();
        Ok(texts.map(|text| text.is_some_and(|text| self.fits_text(text, &wanted))).collect())
    }

    fn of_categories(&self, texts: &Categories) -> Outcome<Vec<bool>> {
        let fits = self.of_texts(texts.values.iter().map(|text| Some(text.as_str())))?;
        Ok(texts.codes.iter().map(|code| fits.get(*code as usize).copied().unwrap_or(false)).collect())
    }

    fn of_numbers<T: PartialOrd + Copy>(&self, values: &[T], round: impl Fn(f64) -> T) -> Outcome<Vec<bool>> {
        let Value::Number(wanted) = self.value else {
            return Err(usage(format!("{} holds numbers.", self.name), "Compare it with a number."));
        };
        let wanted = round(*wanted);
        let fits: fn(Ordering) -> bool = match self.operator {
            Operator::Equal => Ordering::is_eq,
            Operator::NotEqual => Ordering::is_ne,
            Operator::Less => Ordering::is_lt,
            Operator::AtMost => Ordering::is_le,
            Operator::Greater => Ordering::is_gt,
            Operator::AtLeast => Ordering::is_ge,
            Operator::Like => {
                return Err(usage(format!("{} holds numbers, which hold no text.", self.name), "Compare it by =."));
            }
        };
        // A missing number has no order.
        Ok(values.iter().map(|value| value.partial_cmp(&wanted).is_some_and(fits)).collect())
    }

    fn of_clusters(&self, loaded: &Loaded) -> Outcome<Vec<bool>> {
        self.only_words()?;
        let names = cluster_names(loaded)?;
        let found = match self.value {
            Value::Number(number) if self.operator != Operator::Like => {
                let whole = (0..).zip(names).find(|(cluster, _)| f64::from(*cluster) == *number);
                whole.map(|(cluster, _)| cluster).into_iter().collect()
            }
            _ if self.operator == Operator::Like => holding(names, &self.value.text()),
            _ => called(names, &self.value.text()),
        };
        if found.is_empty() {
            let report = no_such_cluster(&self.value.text(), names);
            let of_parts =
                || format!("Write cluster ~ {:?} for a part of a name. {}", self.value.text(), report.advice);
            let partly = matches!(self.value, Value::Text(_)) && !holding(names, &self.value.text()).is_empty();
            return Err(if partly { Report { advice: of_parts(), ..report } } else { report });
        }
        let labels = loaded.clusters().map(|clusters| clusters.labels.as_slice()).unwrap_or_default();
        let wanted = self.operator != Operator::NotEqual;
        Ok(labels.iter().map(|label| found.contains(label) == wanted).collect())
    }

    fn of_tags(&self, loaded: &Loaded, samples: &Samples) -> Outcome<Vec<bool>> {
        self.only_words()?;
        let wanted = self.value.text();
        let not = self.operator == Operator::NotEqual;
        let has = |tag: &str| if not { tag == wanted } else { self.fits_text(tag, &wanted) };
        let mut fits = vec![false; samples.len()];
        for tag in loaded.curated.tags.iter().filter(|tag| has(&tag.tag)) {
            for row in &tag.rows {
                fits[*row as usize] = true;
            }
        }
        // A sample has several tags: `tag != a` fits those that lack it.
        fits.iter_mut().for_each(|fits| *fits ^= not);
        Ok(fits)
    }

    fn of_reasons(&self, reasons: &[u8]) -> Outcome<Vec<bool>> {
        self.only_words()?;
        let wanted = self.value.text().to_lowercase().replace(['-', '_'], " ");
        let words: Vec<&str> = ReasonCode::ALL.iter().map(|code| code.word()).collect();
        if !words.iter().any(|word| self.fits_text(word, &wanted)) {
            return Err(usage(
                format!("{} is no status.", self.value.text()),
                format!("There are {}.", words.join(", ")),
            ));
        }
        let word = |byte: u8| ReasonCode::from_byte(byte).map(ReasonCode::word);
        Ok(reasons.iter().map(|byte| word(*byte).is_some_and(|word| self.fits_text(word, &wanted))).collect())
    }

    fn of_column(&self, loaded: &Loaded, samples: &Samples) -> Outcome<Vec<bool>> {
        let name = self.name.strip_prefix("extra:").unwrap_or(self.name);
        if let Some(values) = numbers(loaded, self.name) {
            return self.of_numbers(&values, |wanted| wanted as f32);
        }
        if let Some(texts) = categories(loaded, self.name) {
            return self.of_categories(&texts);
        }
        match samples.extra.iter().find(|column| column.name == name).map(|column| &column.values) {
            Some(ColumnValues::Number(values)) => self.of_numbers(values, |wanted| wanted),
            Some(ColumnValues::Text(texts) | ColumnValues::Json(texts)) => self.of_categories(texts),
            None => match also_called(self.name, loaded) {
                Some(name) => Comparison { name: &name, ..*self }.of_column(loaded, samples),
                None => Err(no_column(self.name, loaded, samples)),
            },
        }
    }
}

/// The column that is called so in another case, by its label or over the table.
fn also_called(name: &str, loaded: &Loaded) -> Option<String> {
    let known = || {
        let alike = |word: &str| word.eq_ignore_ascii_case(name);
        let mut columns = infos(loaded).into_iter().map(|info| (info.name, info.label));
        columns.find(|(known, label)| known != name && (alike(known) || alike(label))).map(|(known, _)| known)
    };
    column_called(name).map(str::to_owned).or_else(known)
}

fn of_rows(rows: &[u32], samples: &Samples) -> Vec<bool> {
    let mut fits = vec![false; samples.len()];
    for row in rows {
        fits[*row as usize] = true;
    }
    fits
}

fn cluster_names(loaded: &Loaded) -> Outcome<&[String]> {
    loaded.names().ok_or_else(|| usage("The pool has to be clustered first.", "Run the project."))
}

fn number_of(number: u32, names: &[String]) -> Outcome<u32> {
    if (number as usize) < names.len() { Ok(number) } else { Err(no_such_cluster(&number.to_string(), names)) }
}

/// Clusters of a name, whatever its case.
fn called(names: &[String], name: &str) -> Vec<u32> {
    let name = name.to_lowercase();
    (0..).zip(names).filter(|(_, known)| known.to_lowercase() == name).map(|(cluster, _)| cluster).collect()
}

/// Clusters whose names hold a text, whatever its case.
fn holding(names: &[String], text: &str) -> Vec<u32> {
    let text = text.to_lowercase();
    (0..).zip(names).filter(|(_, name)| name.to_lowercase().contains(&text)).map(|(cluster, _)| cluster).collect()
}

fn no_such_cluster(typed: &str, names: &[String]) -> Report {
    let names: Vec<String> = names.iter().enumerate().map(|(number, name)| format!("{number} {name}")).collect();
    usage(format!("There is no cluster {typed}."), format!("There are {}.", names.join("; ")))
}

/// Every name that can be compared.
fn all_names(loaded: &Loaded, samples: &Samples) -> Vec<String> {
    let extra = samples.extra.iter().map(|column| column.name.clone());
    let names = SPECIAL.iter().chain(&TEXTS).map(|name| (*name).to_owned()).chain(compared_names(loaded)).chain(extra);
    names.collect()
}

fn no_column(name: &str, loaded: &Loaded, samples: &Samples) -> Report {
    if MARKS.contains(&name) {
        return usage(format!("{name} is a mark, which is compared with nothing."), format!("Write {name} alone."));
    }
    usage(format!("There is no column {name}."), near(name, all_names(loaded, samples)))
}

fn no_mark(name: &str, loaded: &Loaded, samples: &Samples) -> Report {
    let names = all_names(loaded, samples);
    if names.iter().any(|known| known == name) {
        return usage(format!("{name} is a column, which has to be compared."), format!("Write {name} = and a value."));
    }
    let marks = MARKS.iter().map(|mark| (*mark).to_owned());
    usage(format!("There is no mark {name}."), near(name, marks.chain(names).collect()))
}

/// The names most like what was typed; all of them where none is like it.
fn near(typed: &str, names: Vec<String>) -> String {
    let typed = typed.to_lowercase();
    let mut ranked: Vec<(usize, &String)> = names
        .iter()
        .map(|name| {
            let lower = name.to_lowercase();
            let part = lower.contains(&typed) || typed.contains(&lower);
            (if part { 1 } else { distance(&typed, &lower) }, name)
        })
        .filter(|(distance, name)| *distance <= 2.max(name.len() / 3))
        .collect();
    ranked.sort();
    ranked.dedup();
    if ranked.is_empty() {
        return format!("There are {}.", names.join(", "));
    }
    let nearest: Vec<&str> = ranked.iter().take(NEAR).map(|(_, name)| name.as_str()).collect();
    format!("Near names: {}.", nearest.join(", "))
}

/// Letters to be added, left out or changed until one word is the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (place, second) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *second);
            diagonal = row[place + 1];
            row[place + 1] = changed.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_few_and_like_it() {
        assert_eq!(distance("kitten", "sitting"), 3);
        let names = || ["jsd", "jsd_rest", "loss_dense", "id"].map(str::to_owned).to_vec();
        assert_eq!(near("jds", names()), "Near names: id, jsd.");
        assert_eq!(near("los_dense", names()), "Near names: loss_dense.");
        assert_eq!(near("capability", names()), "There are jsd, jsd_rest, loss_dense, id.");
    }
}
