//! What can lie over the screen, one at a time: palette, sheet of shortcuts, and the small forms.

use paser_protocol::{DownloadView, ExportFormat, ExportedView, Part, SelectionPlan};

#[derive(Clone, Debug, PartialEq)]
pub enum Dialog {
    Palette {
        typed: String,
        chosen: usize,
    },
    Shortcuts,
    Freeze {
        name: String,
    },
    /// A frozen selection goes for good: asked once more.
    Discard {
        name: String,
    },
    /// Another strategy to compare with.
    AddStrategy(AddStrategy),
    Rename {
        from: String,
        to: String,
    },
    Export(ExportForm),
    /// The path field, where there is no native dialog or as well.
    OpenProject {
        path: String,
    },
    /// The pool's rows that were not read.
    BadRows,
    /// The recipe as text.
    Recipe,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AddStrategy {
    pub plan: SelectionPlan,
    /// As typed.
    pub budget: String,
    pub name: String,
    pub waiting: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ExportForm {
    /// None: the selection being built.
    pub selection: Option<String>,
    /// Which of its samples.
    pub part: Part,
    pub format: ExportFormat,
    pub path: String,
    pub waiting: bool,
    pub done: Option<ExportedView>,
    /// A file to be fetched and handed to the person.
    pub download: Option<DownloadView>,
}

impl Default for ExportForm {
    fn default() -> Self {
        Self {
            selection: None,
            part: Part::default(),
            format: ExportFormat::AlpacaJson,
            path: String::new(),
            waiting: false,
            done: None,
            download: None,
        }
    }
}

impl ExportForm {
    /// The file name to begin with.
    pub fn file_name(&self) -> String {
        let mut name = self.selection.clone().unwrap_or_else(|| "selection".to_owned());
        for (word, names) in [("and", &self.part.within), ("without", &self.part.without)] {
            for other in names {
                name = format!("{name} {word} {other}");
            }
        }
        let safe = safe(&name);
        match self.format {
            ExportFormat::AlpacaJson => format!("{safe}.json"),
            ExportFormat::AlpacaJsonl | ExportFormat::MessagesJsonl => format!("{safe}.jsonl"),
        }
    }
}

/// A name as a part of a file's name.
pub(crate) fn safe(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect()
}
