//! What can lie over the screen, one at a time: palette, sheet of shortcuts, and the small forms.

use paser_protocol::{DownloadView, ExportFormat, ExportedView};

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
pub struct ExportForm {
    /// None: the selection being built.
    pub selection: Option<String>,
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
        let name = self.selection.as_deref().unwrap_or("selection");
        let safe: String =
            name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
        match self.format {
            ExportFormat::AlpacaJson => format!("{safe}.json"),
            ExportFormat::AlpacaJsonl | ExportFormat::MessagesJsonl => format!("{safe}.jsonl"),
        }
    }
}
