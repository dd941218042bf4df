//! What goes to stdout: tables for people or JSON lines for programs, never both. Owns the alignment of columns, the
//! grouping of digits and the form of an error.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use paser_protocol::{Failure, Report};
use serde::Serialize;
use serde_json::json;

/// Stdout in one of its two forms.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    pub fn is_json(self) -> bool {
        self.json
    }

    /// A line for people.
    pub fn say(self, line: impl AsRef<str>) {
        if !self.json {
            print(line.as_ref());
        }
    }

    /// A line for programs.
    pub fn line(self, value: &impl Serialize) {
        if self.json {
            match serde_json::to_string(value) {
                Ok(text) => print(&text),
                Err(error) => eprintln!("error: a result could not be written as JSON: {error}"),
            }
        }
    }

    /// A table; one without rows is left out.
    pub fn table(self, table: &Table) {
        if !self.json && !table.rows.is_empty() {
            print(&table.render(bold_is_wanted()));
        }
    }

    /// An error: its words on stderr, and in JSON also as the last line of stdout.
    pub fn failure(self, report: &Report) {
        let text = report.to_string().replace('\n', "\n  ");
        // What a person stopped did not fail.
        let head = match (report.failure, wants_colour(&std::io::stderr())) {
            (Failure::Cancelled, _) => "",
            (_, true) => "\u{1b}[1;31merror:\u{1b}[0m ",
            (_, false) => "error: ",
        };
        eprintln!("{head}{text}");
        if self.json {
            print(&json!({ "event": "failed", "exit_code": report.failure.exit_code(), "report": report }).to_string());
        }
    }
}

/// A reader that went away (`paser run | head -1`) ends the printing, not the work.
fn print(text: &str) {
    static READER_GONE: AtomicBool = AtomicBool::new(false);
    if READER_GONE.load(Ordering::Relaxed) {
        return;
    }
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
        READER_GONE.store(true, Ordering::Relaxed);
    }
}

fn bold_is_wanted() -> bool {
    wants_colour(&std::io::stdout())
}

/// A terminal, and nobody set `NO_COLOR` to anything.
pub fn wants_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Columns under a head, as wide as their widest cell.
#[derive(Clone, Debug)]
pub struct Table {
    head: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Column names; one that starts with `<` is aligned left, all others right, since most cells are numbers.
    pub fn new(head: &[&str]) -> Self {
        let head = head.iter().map(|name| match name.strip_prefix('<') {
            Some(name) => (name.to_owned(), Align::Left),
            None => ((*name).to_owned(), Align::Right),
        });
        Self { head: head.collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn render(&self, bold: bool) -> String {
        let head: Vec<String> = self.head.iter().map(|(name, _)| name.clone()).collect();
        let widths: Vec<usize> = (0..head.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column)).chain([&head[column]]);
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let line = |cells: &[String]| {
            let mut text = String::new();
            for ((cell, width), (_, align)) in cells.iter().zip(&widths).zip(&self.head) {
                if !text.is_empty() {
                    text.push_str("  ");
                }
                let space = " ".repeat(width.saturating_sub(cell.chars().count()));
                match align {
                    Align::Left => text.extend([cell.as_str(), &space]),
                    Align::Right => text.extend([space.as_str(), cell]),
                }
            }
            text.trim_end().to_owned()
        };
        let mut lines = vec![if bold { format!("\u{1b}[1m{}\u{1b}[0m", line(&head)) } else { line(&head) }];
        lines.extend(self.rows.iter().map(|row| line(row)));
        lines.join("\n")
    }
}

/// `38563` as `38,563`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A figure with `places` decimals, nothing where there is none.
pub fn figure(value: Option<f64>, places: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.places$}"))
}

/// `0.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 9.95 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Seconds since 1970 as `2026-11-24 19:05`, UTC.
pub fn date(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 1 March of the year 0, in 400 years of 146,097 days that end with their leap day.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (number, of_month) = (if month < 10 { month + 3 } else { month - 9 }, of_year - (153 * month + 2) / 5 + 1);
    let year = era * 400 + year + u64::from(number <= 2);
    format!("{year}-{number:02}-{of_month:02} {:02}:{:02}", rest / 3_600, rest % 3_600 / 60)
}

/// `1.5 GiB`
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let mut table = Table::new(&["<cluster", "samples"]);
        table.row(["größer".to_owned(), thousands(1234)]);
        table.row(["a".to_owned(), thousands(5)]);
        assert_eq!(table.render(false), "cluster  samples\ngrößer     1,234\na              5");
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(
            (duration(0.44), duration(59.7), duration(185.0)),
            ("0.4 s".into(), "1 min 00 s".into(), "3 min 05 s".into())
        );
        assert_eq!(duration(7800.0), "2 h 10 min");
        assert_eq!((date(0).as_str(), date(951_782_399).as_str()), ("1970-01-01 00:00", "2000-02-28 23:59"));
        assert_eq!(
            (date(951_782_400).as_str(), date(1_795_547_100).as_str()),
            ("2000-02-29 00:00", "2026-11-24 19:05")
        );
        assert_eq!((bytes(512), bytes(3 << 30)), ("512 B".into(), "3.0 GiB".into()));
    }
}
