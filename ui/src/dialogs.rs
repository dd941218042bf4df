//! What can lie over the screen, one at a time: palette, sheet of shortcuts, and the small forms.

use std::rc::Rc;

use paser_protocol::{
    DownloadView, EditSource, ExportFormat, ExportedView, Factor, Part, SelectionPlan, Strategy, StrategySettings, Unit,
};

use crate::views::models::Shown;

mod arms;
pub use arms::{ArmFile, ArmOutput, ArmsForm, NUMBERS, NumberField, ReadRunForm, RecoverForm, ReportForm};

#[derive(Clone, Debug, PartialEq)]
pub enum Dialog {
    Palette {
        typed: String,
        chosen: usize,
    },
    Shortcuts,
    /// A job is at work while the project is to be closed.
    CloseProject,
    Freeze {
        name: String,
    },
    /// A frozen selection goes for good: asked once more.
    Discard {
        name: String,
    },
    /// Many samples at once, with a reason.
    EditSamples(EditSamples),
    Cluster(ClusterForm),
    Journal {
        typed: String,
    },
    /// Both models, layer by layer.
    Models(ModelsForm),
    /// Near-duplicates and benchmark questions.
    Checks {
        /// A benchmark file being named.
        typed: String,
    },
    /// Another strategy to compare with.
    AddStrategy(AddStrategy),
    /// How far clusters and selection hang on single settings.
    Stability {
        /// The row of the table that was clicked.
        chosen: Option<(Factor, f64)>,
    },
    /// The pass that a strategy needs.
    Prepare(Prepare),
    Rename {
        from: String,
        to: String,
    },
    Export(ExportForm),
    /// The path field, where there is no native dialog or as well.
    OpenProject {
        path: String,
    },
    Settings(SettingsForm),
    /// Every message so far.
    Messages,
    /// The pool's rows that were not read.
    BadRows,
    /// The recipe as text.
    Recipe,
    /// Selections to be trained on.
    AddArms(ArmsForm),
    /// An arm leaves the recipe: asked once more.
    RemoveArm {
        name: String,
    },
    /// An arm's weights, or its data for another trainer.
    ArmFile(ArmFile),
    ReadRun(ReadRunForm),
    RecoveryReport(ReportForm),
    RecoverSettings(RecoverForm),
}

impl Dialog {
    /// What its fields hold; nothing where it has none, or they wait for the engine.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts: &[&String] = match self {
            Self::Freeze { name } => &[name],
            Self::EditSamples(form) => &[&form.tag, &form.reason],
            Self::Cluster(form) => match &form.edit {
                EditCluster::Rename { name: text }
                | EditCluster::Quota { quota: text, .. }
                | EditCluster::Emphasis { factor: text } => &[&form.reason, text],
                EditCluster::Split { .. } | EditCluster::Merge => &[&form.reason],
            },
            Self::Models(form) => &[&form.other],
            Self::Checks { typed } => &[typed],
            Self::AddStrategy(form) => &[&form.name, &form.budget],
            Self::Prepare(form) => &[&form.anchors],
            Self::Rename { to, .. } => &[to],
            Self::Export(form) if form.done.is_none() => &[&form.path],
            Self::OpenProject { path } => &[path],
            Self::AddArms(form) => &[&form.name, &form.seeds, &form.learning_rate, &form.steps],
            Self::ArmFile(form) => &[&form.path],
            Self::ReadRun(form) => &[&form.path, &form.arm],
            Self::RecoveryReport(form) => &[&form.path],
            Self::RecoverSettings(form) => return form.texts.values().cloned().collect(),
            Self::Settings(form) if !form.fresh => &[&form.threads, &form.memory],
            _ => &[],
        };
        texts.iter().map(|text| (*text).clone()).collect()
    }
}

/// How the layers are shown, and the pruning being thought of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelsForm {
    pub shown: Shown,
    pub wanda: bool,
    /// Place in the list of patterns.
    pub pattern: usize,
    /// Another pruned model as typed.
    pub other: String,
}

/// Engine's settings as typed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SettingsForm {
    pub threads: String,
    /// GiB.
    pub memory: String,
    /// The fields wait for what the engine has kept.
    pub fresh: bool,
    /// The cache whose clearing is asked about.
    pub asked: Option<String>,
}

/// What can be done with many samples at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    Pin,
    Exclude,
    Release,
    #[default]
    Tag,
    Untag,
    Hide,
    Show,
}

impl Action {
    pub const ALL: [Self; 7] =
        [Self::Pin, Self::Exclude, Self::Release, Self::Tag, Self::Untag, Self::Hide, Self::Show];

    pub fn name(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Exclude => "exclude",
            Self::Release => "release",
            Self::Tag => "tag",
            Self::Untag => "untag",
            Self::Hide => "hide",
            Self::Show => "show",
        }
    }

    /// On the form's primary button.
    pub fn button(self) -> &'static str {
        match self {
            Self::Pin => "Pin",
            Self::Exclude => "Exclude",
            Self::Release => "Release",
            Self::Tag => "Tag",
            Self::Untag => "Untag",
            Self::Hide => "Hide",
            Self::Show => "Show",
        }
    }

    pub fn is_tag(self) -> bool {
        matches!(self, Self::Tag | Self::Untag)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct EditSamples {
    pub rows: Rc<Vec<u32>>,
    pub source: Option<EditSource>,
    pub action: Action,
    pub tag: String,
    pub reason: String,
}

/// An edit of clusters, as its form holds it.
#[derive(Clone, Debug, PartialEq)]
pub enum EditCluster {
    Rename {
        name: String,
    },
    Split {
        parts: u32,
    },
    Merge,
    /// As typed; empty for none.
    Quota {
        quota: String,
        unit: Unit,
    },
    Emphasis {
        factor: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct ClusterForm {
    /// Numbers of the clusters that it is about.
    pub clusters: Vec<u32>,
    pub edit: EditCluster,
    pub reason: String,
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
pub struct Prepare {
    pub strategy: Strategy,
    pub settings: StrategySettings,
    /// As typed.
    pub anchors: String,
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
