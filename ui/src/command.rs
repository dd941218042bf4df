//! Everything a person can order, once: name, words, shortcut, and when it can be had. Menu, palette, buttons,
//! shortcuts and tests read this list.

use egui::{Key, KeyboardShortcut, Modifiers};

use crate::{
    recovery::Recovery,
    state::{AppState, Link, Screen},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    OpenDemo,
    DemoAgain,
    NewProject,
    OpenProject,
    CloseProject,
    Run,
    CancelJob,
    PauseJob,
    ResumeJob,
    JobDetails,
    OpenHere,
    Undo,
    Redo,
    Pin,
    Exclude,
    Release,
    BrushPin,
    BrushExclude,
    BrushRelease,
    EditSamples,
    ShowHidden,
    Journal,
    Checks,
    Models,
    Stability,
    Back,
    Freeze,
    Export,
    Palette,
    Shortcuts,
    Search,
    InsideWords,
    NextRow,
    PreviousRow,
    Fit,
    ZoomIn,
    ZoomOut,
    ShowInspected,
    ToolPoint,
    ToolHand,
    ToolBox,
    ToolLasso,
    ColourCluster,
    ColourDamage,
    ColourTaken,
    ToggleContents,
    ToggleDamage,
    ToggleTable,
    ToggleInspector,
    ToggleLedger,
    ShowExplore,
    ShowCompare,
    ShowRecover,
    AddStrategy,
    Prepare,
    ExportDifference,
    SaveDifferences,
    AddArms,
    DefaultArms,
    TrainCompared,
    Train,
    TrainPilots,
    SweepRates,
    RecoverSettings,
    ReadRun,
    CopyVerdict,
    ExportReport,
    ShowRatio,
    ShowBars,
    ShowTime,
    ShowCost,
    ShowPilots,
    ShowEvaluations,
    NextAxis,
    LogX,
    LogY,
    ColourDamageLeft,
    ShowDamage,
    ShowSchemes,
    ShowCurves,
    Settings,
    Messages,
    ResetLayout,
    Theme,
    Larger,
    Smaller,
    ActualSize,
}

/// Groups of the menu and of the sheet of shortcuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Project,
    Edit,
    Selection,
    Recovery,
    Map,
    View,
}

impl Group {
    pub const ALL: [Self; 6] = [Self::Project, Self::Selection, Self::Edit, Self::Recovery, Self::Map, Self::View];

    pub fn name(self) -> &'static str {
        match self {
            Self::Project => "Project",
            Self::Edit => "Samples",
            Self::Selection => "Selection",
            Self::Recovery => "Recovery",
            Self::Map => "Map",
            Self::View => "View",
        }
    }
}

const CTRL: Modifiers = Modifiers::COMMAND;
const CTRL_SHIFT: Modifiers = Modifiers { shift: true, ..Modifiers::COMMAND };

impl Command {
    pub const ALL: [Self; 87] = [
        Self::OpenDemo,
        Self::DemoAgain,
        Self::NewProject,
        Self::OpenProject,
        Self::CloseProject,
        Self::Run,
        Self::CancelJob,
        Self::PauseJob,
        Self::ResumeJob,
        Self::JobDetails,
        Self::OpenHere,
        Self::Undo,
        Self::Redo,
        Self::Pin,
        Self::Exclude,
        Self::Release,
        Self::BrushPin,
        Self::BrushExclude,
        Self::BrushRelease,
        Self::EditSamples,
        Self::ShowHidden,
        Self::Journal,
        Self::Checks,
        Self::Models,
        Self::Stability,
        Self::Back,
        Self::Freeze,
        Self::Export,
        Self::Palette,
        Self::Shortcuts,
        Self::Search,
        Self::InsideWords,
        Self::NextRow,
        Self::PreviousRow,
        Self::Fit,
        Self::ZoomIn,
        Self::ZoomOut,
        Self::ShowInspected,
        Self::ToolPoint,
        Self::ToolHand,
        Self::ToolBox,
        Self::ToolLasso,
        Self::ColourCluster,
        Self::ColourDamage,
        Self::ColourTaken,
        Self::ToggleContents,
        Self::ToggleDamage,
        Self::ToggleTable,
        Self::ToggleInspector,
        Self::ToggleLedger,
        Self::ShowExplore,
        Self::ShowCompare,
        Self::ShowRecover,
        Self::AddStrategy,
        Self::Prepare,
        Self::ExportDifference,
        Self::SaveDifferences,
        Self::AddArms,
        Self::DefaultArms,
        Self::TrainCompared,
        Self::Train,
        Self::TrainPilots,
        Self::SweepRates,
        Self::RecoverSettings,
        Self::ReadRun,
        Self::CopyVerdict,
        Self::ExportReport,
        Self::ShowRatio,
        Self::ShowBars,
        Self::ShowTime,
        Self::ShowCost,
        Self::ShowPilots,
        Self::ShowEvaluations,
        Self::NextAxis,
        Self::LogX,
        Self::LogY,
        Self::ColourDamageLeft,
        Self::ShowDamage,
        Self::ShowSchemes,
        Self::ShowCurves,
        Self::Settings,
        Self::Messages,
        Self::ResetLayout,
        Self::Theme,
        Self::Larger,
        Self::Smaller,
        Self::ActualSize,
    ];

    pub fn group(self) -> Group {
        match self {
            Self::OpenDemo
            | Self::DemoAgain
            | Self::NewProject
            | Self::OpenProject
            | Self::CloseProject
            | Self::Run
            | Self::CancelJob
            | Self::Models
            | Self::PauseJob
            | Self::ResumeJob
            | Self::JobDetails
            | Self::OpenHere => Group::Project,
            Self::AddStrategy | Self::Prepare | Self::ExportDifference | Self::SaveDifferences => Group::Selection,
            Self::AddArms
            | Self::DefaultArms
            | Self::TrainCompared
            | Self::Train
            | Self::TrainPilots
            | Self::SweepRates
            | Self::RecoverSettings
            | Self::ReadRun
            | Self::CopyVerdict
            | Self::ExportReport
            | Self::ShowRatio
            | Self::ShowBars
            | Self::ShowTime
            | Self::ShowCost
            | Self::ShowPilots
            | Self::ShowEvaluations
            | Self::NextAxis
            | Self::LogX
            | Self::LogY => Group::Recovery,
            Self::Freeze | Self::Export | Self::ToggleLedger | Self::Undo | Self::Redo => Group::Selection,
            Self::Pin
            | Self::Exclude
            | Self::Release
            | Self::BrushPin
            | Self::BrushExclude
            | Self::BrushRelease
            | Self::EditSamples
            | Self::ShowHidden
            | Self::Journal
            | Self::Checks
            | Self::Search
            | Self::InsideWords
            | Self::NextRow
            | Self::PreviousRow => Group::Edit,
            Self::Fit
            | Self::ZoomIn
            | Self::ZoomOut
            | Self::ShowInspected
            | Self::ToolPoint
            | Self::ToolHand
            | Self::ToolBox
            | Self::ToolLasso
            | Self::ColourCluster
            | Self::ColourDamage
            | Self::ColourTaken
            | Self::ColourDamageLeft => Group::Map,
            _ => Group::View,
        }
    }

    /// The name a person reads; "..." where more is asked.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenDemo => "Open the demo",
            Self::DemoAgain => "Run the demo again",
            Self::NewProject => "New project...",
            Self::OpenProject => "Open project...",
            Self::CloseProject => "Close project",
            Self::Run => "Run what is missing",
            Self::CancelJob => "Cancel the running job",
            Self::PauseJob => "Pause the running job",
            Self::ResumeJob => "Resume the paused run",
            Self::JobDetails => "Show or hide the job's log",
            Self::OpenHere => "Open the project here",
            Self::Undo => "Undo",
            Self::Redo => "Redo",
            Self::Pin => "Pin this sample",
            Self::Exclude => "Exclude this sample",
            Self::Release => "Release this sample",
            Self::BrushPin => "Pin all brushed samples",
            Self::BrushExclude => "Exclude all brushed samples",
            Self::BrushRelease => "Release all brushed samples",
            Self::EditSamples => "Tag or edit samples...",
            Self::ShowHidden => "Show hidden samples...",
            Self::Journal => "Journal of edits...",
            Self::Models => "Models...",
            Self::Checks => "Duplicates and leakage...",
            Self::Stability => "Stability of clusters and selection...",
            Self::Back => "Step back",
            Self::Freeze => "Freeze selection...",
            Self::Export => "Export...",
            Self::Palette => "Search or run",
            Self::Shortcuts => "Keyboard shortcuts",
            Self::Search => "Find in the samples' text",
            Self::InsideWords => "Find inside words, too",
            Self::NextRow => "Next sample",
            Self::PreviousRow => "Previous sample",
            Self::Fit => "Fit the map to the window",
            Self::ZoomIn => "Zoom in",
            Self::ZoomOut => "Zoom out",
            Self::ShowInspected => "Show the inspected sample on the map",
            Self::ToolPoint => "Point tool",
            Self::ToolHand => "Hand tool",
            Self::ToolBox => "Box tool",
            Self::ToolLasso => "Lasso tool",
            Self::ColourCluster => "Colour by cluster",
            Self::ColourDamage => "Colour by damage",
            Self::ColourTaken => "Colour by taken or not",
            Self::ToggleContents => "Show or hide the contents",
            Self::ToggleDamage => "Show or hide the damage panel",
            Self::ToggleTable => "Show or hide the table",
            Self::ToggleInspector => "Show or hide the inspector",
            Self::ToggleLedger => "Show or hide the ledger",
            Self::ShowExplore => "Explore",
            Self::ShowCompare => "Compare",
            Self::AddStrategy => "Add strategy...",
            Self::Prepare => "Compute what the strategy reads...",
            Self::ExportDifference => "Export the difference...",
            Self::SaveDifferences => "Save differences as CSV",
            Self::ShowRecover => "Recover",
            Self::AddArms => "Add arm...",
            Self::DefaultArms => "Train paser and random, three seeds...",
            Self::TrainCompared => "Train these...",
            Self::Train => "Train what is missing",
            Self::TrainPilots => "Train a pilot for each cluster",
            Self::SweepRates => "Try three learning rates",
            Self::RecoverSettings => "Settings of recovery...",
            Self::ReadRun => "Read another trainer's run...",
            Self::CopyVerdict => "Copy the verdict's table",
            Self::ExportReport => "Export report...",
            Self::ShowRatio => "Recovery ratio by group",
            Self::ShowBars => "Metric by group",
            Self::ShowTime => "Time against performance",
            Self::ShowCost => "Cost against recovery",
            Self::ShowPilots => "Pilot matrix",
            Self::ShowEvaluations => "Tasks and perplexities",
            Self::NextAxis => "Curves against step, tokens or time",
            Self::LogX => "Logarithmic axis across",
            Self::LogY => "Logarithmic axis upwards",
            Self::ColourDamageLeft => "Colour by damage left",
            Self::ShowDamage => "Damage per cluster",
            Self::ShowSchemes => "Damage by pruned model",
            Self::ShowCurves => "Number of clusters",
            Self::Settings => "Settings...",
            Self::Messages => "Messages so far...",
            Self::ResetLayout => "Reset the layout",
            Self::Theme => "Dark, light or system theme",
            Self::Larger => "Larger",
            Self::Smaller => "Smaller",
            Self::ActualSize => "Actual size",
        }
    }

    /// One line more, for the palette.
    pub fn description(self) -> &'static str {
        match self {
            Self::OpenDemo => "a recorded run with every score; needs no network",
            Self::DemoAgain => "computes it anew and compares it with the record",
            Self::NewProject => "a pool, a dense and a pruned model",
            Self::OpenProject => "a project folder on the engine's disk",
            Self::CloseProject => "back to the welcome page; a running job goes on or stops, as you say",
            Self::Run => "every stage whose inputs changed, up to the selection",
            Self::CancelJob => "what is finished is kept",
            Self::PauseJob => "at the next possible moment; it goes on when you say so",
            Self::ResumeJob => "goes on after the last finished part",
            Self::JobDetails => "process, memory and the last lines",
            Self::OpenHere => "this program takes it over from one that is gone",
            Self::Undo => "the last change of samples, budget, strategy or layout",
            Self::Redo => "what was undone",
            Self::Pin => "always in the selection",
            Self::Exclude => "never in the selection",
            Self::Release => "neither pinned nor excluded",
            Self::BrushPin => "the brushed samples are always in the selection",
            Self::BrushExclude => "the brushed samples are never in the selection",
            Self::BrushRelease => "the brushed samples are neither pinned nor excluded",
            Self::EditSamples => "the brushed ones, else this one: tag, hide, pin, exclude, with a reason",
            Self::ShowHidden => "all of them, back on the map",
            Self::Journal => "what was pinned, excluded, merged and why; take back any one edit",
            Self::Models => "both models layer by layer, their tokenizers, and pruning here",
            Self::Checks => "what the pool repeats, and samples that contain a benchmark's question",
            Self::Stability => "how far the result hangs on each setting (d, t, K, k, tau, seed); adopt another one",
            Self::Back => {
                "closes what lies on top or a region being drawn; else clears brush, sample and search in turn"
            }
            Self::Freeze => "keeps this selection under a name",
            Self::Export => "training files with their manifest",
            Self::Palette => "every command and cluster by name",
            Self::Shortcuts => "all keys on one sheet",
            Self::Search => "whole words, *parts* of words, or a filter such as jsd > 0.2 and tokens < 50",
            Self::InsideWords => "what the search missed because it stands inside of a word: SQL in MySQL",
            Self::NextRow | Self::PreviousRow => "in the table's order",
            Self::Fit => "all samples in view",
            Self::ZoomIn | Self::ZoomOut => "about the middle of the map",
            Self::ShowInspected => "moves the map to its point",
            Self::ToolPoint => "hover for a card, click to inspect",
            Self::ToolHand => "drag moves the map",
            Self::ToolBox => "drag brushes the samples inside; Shift adds, Alt takes away",
            Self::ToolLasso => "drag around samples, or click corner by corner; Shift adds, Alt takes away",
            Self::ColourCluster => "each cluster on the map in its own colour",
            Self::ColourDamage => "how far the pruned model is from the dense one on each sample",
            Self::ColourTaken => "what the selection holds, against the rest",
            Self::ToggleContents => "pool, clusters, frozen selections, models",
            Self::ToggleDamage => "clusters by how much pruning hurt them",
            Self::ToggleTable => "every sample as a row: sort, search, filter",
            Self::ToggleInspector => "one sample: its text, its numbers, why it was taken or not",
            Self::ToggleLedger => "per cluster, from its damage to what was taken of it",
            Self::ShowExplore => "map, damage and budget",
            Self::ShowCompare => "frozen selections side by side",
            Self::AddStrategy => "computes another selection to compare with",
            Self::Prepare => "ifd, superfiltering and nuggets take a pass of their own",
            Self::ExportDifference => "what A alone holds, as training files",
            Self::SaveDifferences => "a CSV file of the samples that not all of them hold",
            Self::ShowRecover => "arms in training: curves, costs and verdicts",
            Self::AddArms => "trains the pruned model on frozen selections, with several seeds",
            Self::DefaultArms => "the two arms that a comparison begins with",
            Self::TrainCompared => "the compared selections and random as arms",
            Self::Train => "every seed of every arm that is not trained yet",
            Self::TrainPilots => "short arms that tell which data heals what",
            Self::SweepRates => "on the random arm alone; the best is written into the recipe",
            Self::RecoverSettings => "method, learning rate, steps, batch: what all arms share",
            Self::ReadRun => "its curve or its results stand beside the arms",
            Self::CopyVerdict => "for a text (Markdown); it opens in a spreadsheet, too",
            Self::ExportReport => "curves, arms and the verdict: HTML, Markdown, CSV or LaTeX",
            Self::ShowRatio => "the share of what pruning took that came back",
            Self::ShowBars => "bars of every arm beside the dense and the pruned model",
            Self::ShowTime => "the metric against the time paid, scoring counted in",
            Self::ShowCost => "which arms cost least for what they bring back",
            Self::ShowPilots => "what data of one cluster does to every other",
            Self::ShowEvaluations => "of dense, pruned and the arms, by their named protocols",
            Self::NextAxis => "switches to the next of the three axes",
            Self::LogX => "of the curves; step 0 has no place on it",
            Self::LogY => "of the curves and their reference lines",
            Self::ColourDamageLeft => "what an arm has left of each cluster's damage, at the cursor",
            Self::ShowDamage => "bars with intervals, worst first",
            Self::ShowSchemes => "grouped bars, where the project has several pruned models",
            Self::ShowCurves => "stability and scree; coarse, fine or fixed",
            Self::Settings => "theme, scale, threads, memory, device, what lies on disk",
            Self::Messages => "what was said since the window opened",
            Self::ResetLayout => "panes, tabs and map of this work place as at the first start",
            Self::Theme => "switches to the next of the three",
            Self::Larger | Self::Smaller | Self::ActualSize => "text and controls, 0.75 to 2",
        }
    }

    pub fn shortcut(self) -> Option<KeyboardShortcut> {
        let plain = |key| Some(KeyboardShortcut::new(Modifiers::NONE, key));
        let ctrl = |key| Some(KeyboardShortcut::new(CTRL, key));
        let shift = |key| Some(KeyboardShortcut::new(Modifiers::SHIFT, key));
        match self {
            Self::OpenProject => ctrl(Key::O),
            Self::Undo => ctrl(Key::Z),
            Self::Redo => Some(KeyboardShortcut::new(CTRL_SHIFT, Key::Z)),
            Self::Pin => plain(Key::P),
            Self::Exclude => plain(Key::X),
            Self::Release => plain(Key::R),
            Self::BrushPin => shift(Key::P),
            Self::BrushExclude => shift(Key::X),
            Self::BrushRelease => shift(Key::R),
            Self::EditSamples => plain(Key::T),
            Self::Journal => plain(Key::U),
            Self::Back => plain(Key::Escape),
            Self::Freeze => ctrl(Key::S),
            Self::Export => ctrl(Key::E),
            Self::Palette => ctrl(Key::K),
            Self::Shortcuts => plain(Key::Questionmark),
            Self::Search => ctrl(Key::F),
            Self::InsideWords => Some(KeyboardShortcut::new(CTRL_SHIFT, Key::F)),
            Self::NextRow => plain(Key::J),
            Self::PreviousRow => plain(Key::K),
            Self::Fit => plain(Key::F),
            Self::ToolPoint => plain(Key::V),
            Self::ToolHand => plain(Key::H),
            Self::ToolBox => plain(Key::B),
            Self::ToolLasso => plain(Key::O),
            Self::ColourCluster => plain(Key::C),
            Self::ColourDamage => plain(Key::D),
            Self::ColourTaken => plain(Key::S),
            Self::ToggleContents => plain(Key::N),
            Self::ToggleDamage => plain(Key::OpenBracket),
            Self::ToggleTable => plain(Key::Backslash),
            Self::ToggleInspector => plain(Key::CloseBracket),
            Self::ToggleLedger => plain(Key::L),
            Self::ShowExplore => plain(Key::Num1),
            Self::ShowCompare => plain(Key::Num2),
            Self::ShowRecover => plain(Key::Num3),
            Self::AddArms => plain(Key::A),
            Self::Settings => ctrl(Key::Comma),
            Self::Larger => ctrl(Key::Plus),
            Self::Smaller => ctrl(Key::Minus),
            Self::ActualSize => ctrl(Key::Num0),
            _ => None,
        }
    }

    /// The shortcut as key caps: `Ctrl`, `K`.
    pub fn keys(self) -> Vec<&'static str> {
        let Some(shortcut) = self.shortcut() else { return Vec::new() };
        let mut keys = Vec::new();
        if shortcut.modifiers.command {
            keys.push("Ctrl");
        }
        if shortcut.modifiers.shift {
            keys.push("Shift");
        }
        keys.push(match shortcut.logical_key {
            Key::Escape => "Esc",
            Key::Questionmark => "?",
            Key::OpenBracket => "[",
            Key::CloseBracket => "]",
            Key::Backslash => "\\",
            Key::Plus => "+",
            Key::Minus => "-",
            Key::Comma => ",",
            key => key.symbol_or_name(),
        });
        keys
    }

    /// Name, and how to get it by key: for hover texts.
    pub fn hint(self) -> String {
        let keys = self.keys();
        if keys.is_empty() { self.name().to_owned() } else { format!("{}  ({})", self.name(), keys.join("+")) }
    }

    /// Name, key and the line more: for hover texts of what has to be learnt.
    pub fn long_hint(self) -> String {
        format!("{}: {}", self.hint(), self.description())
    }

    /// Can it be had now? The error says why not.
    pub fn enabled(self, state: &AppState) -> Result<(), &'static str> {
        let need = |fine: bool, why: &'static str| if fine { Ok(()) } else { Err(why) };
        let project = state.project.as_ref().filter(|_| state.screen.is_work_place());
        let brushed = *state.focus.brush() != crate::state::Brush::Nothing;
        let quiet = || need(project.is_none_or(|project| project.job.is_none()), "a job is running");
        let free = || {
            need(state.opening.is_none(), "a project is being opened")?;
            need(!state.closing, "the project before is being closed")
        };
        match self {
            Self::OpenDemo => {
                need(state.hello.as_ref().is_some_and(|hello| hello.demo.is_some()), "the demo is not there")?;
                free()
            }
            Self::DemoAgain => {
                need(project.is_some_and(|project| project.demo), "only in the demo")?;
                quiet()
            }
            Self::NewProject | Self::OpenProject => free(),
            Self::Palette | Self::Shortcuts | Self::Theme | Self::Larger | Self::Smaller | Self::ActualSize => Ok(()),
            Self::Back => Ok(()),
            _ if project.is_none() => Err("open a project first"),
            Self::Run => quiet(),
            Self::CancelJob => {
                need(project.is_some_and(|project| project.job.is_some() || project.run.is_some()), "no job is running")
            }
            Self::PauseJob => {
                let job = project.and_then(|project| project.job.as_ref());
                need(job.is_some(), "no job is running")?;
                need(job.is_some_and(|job| job.lasting), "this job can only be cancelled")?;
                need(job.is_some_and(|job| !job.cancelling), "the job is stopping")
            }
            Self::ResumeJob => {
                let left = project.and_then(|project| project.run.as_ref()).is_some_and(|run| !run.at_work);
                need(left, "no run was paused or interrupted")?;
                quiet()
            }
            Self::OpenHere => {
                need(state.attached, "the project is open here already")?;
                need(state.link == Link::Lost, "the program that has the project is there")
            }
            Self::JobDetails => need(project.is_some_and(|project| project.job.is_some()), "no job is running"),
            Self::Undo | Self::Redo if state.edits_waiting > 0 => Err("the edit before is being written"),
            Self::Undo => need(state.next_undo().is_some(), "nothing to undo"),
            Self::Redo => need(state.next_redo().is_some(), "nothing to redo"),
            Self::Pin | Self::Exclude | Self::Release | Self::ShowInspected => {
                need(state.focus.inspected.is_some(), "click a sample first")
            }
            Self::EditSamples => need(brushed || state.focus.inspected.is_some(), "brush samples or click one first"),
            Self::InsideWords => need(state.table.inside_words().is_some(), "search for a word first"),
            Self::ShowHidden => {
                need(project.is_some_and(|project| !project.curation.hidden.is_empty()), "nothing is hidden")
            }
            Self::BrushPin | Self::BrushExclude | Self::BrushRelease => need(brushed, "brush a cluster or a box first"),
            Self::Models => {
                need(project.is_some_and(|project| !project.dense.is_empty()), "the project names no models")
            }
            Self::ShowSchemes => need(
                project.is_some_and(|project| !project.schemes.is_empty()),
                "the project has one pruned model: add another under Models",
            ),
            Self::AddStrategy => need(state.is_scored(), "nothing scored yet"),
            Self::Prepare => {
                need(state.build.plan.strategy.needs_pass(), "the strategy needs no pass of its own")?;
                need(state.is_scored(), "nothing scored yet")?;
                quiet()
            }
            Self::ExportDifference | Self::SaveDifferences => {
                need(state.screen == Screen::Compare, "go to Compare first")?;
                need(state.compare.names.len() > 1, "choose two selections first")
            }
            Self::AddArms | Self::DefaultArms => {
                let frozen = project.is_some_and(|project| !project.selections.is_empty());
                need(frozen || state.is_scored(), "nothing scored and nothing frozen yet")
            }
            Self::TrainCompared => {
                need(state.screen == Screen::Compare, "go to Compare first")?;
                need(!state.compare.names.is_empty(), "choose selections first")
            }
            Self::Train | Self::TrainPilots | Self::SweepRates => {
                let view = state.recovery.view.as_ref();
                need(view.is_some_and(|view| view.blocked.is_none()), "arms cannot be trained yet: see Recover")?;
                let missing = view.map_or(0, |view| Recovery::waiting_runs(view));
                need(self != Self::Train || missing > 0, "every arm is trained")?;
                quiet()
            }
            Self::RecoverSettings => need(state.recovery.view.is_some(), "go to Recover first"),
            Self::CopyVerdict | Self::ExportReport => {
                need(state.screen == Screen::Recover, "go to Recover first")?;
                need(state.recovery.verdict.is_some(), "two arms with a finished seed each are needed")
            }
            Self::ShowRatio
            | Self::ShowBars
            | Self::ShowTime
            | Self::ShowCost
            | Self::ShowPilots
            | Self::ShowEvaluations
            | Self::NextAxis
            | Self::LogX
            | Self::LogY => {
                need(state.screen == Screen::Recover, "go to Recover first")?;
                need(state.recovery.view.as_ref().is_some_and(|view| !view.arms.is_empty()), "there are no arms yet")
            }
            Self::ColourDamageLeft => {
                need(state.recovery.damage_left().is_some(), "no arm has measured the damage left in clusters")
            }
            Self::Freeze if state.build.problem.is_some() => Err("the selection cannot be made: see the warning"),
            Self::Freeze | Self::Export => {
                let selection = state.build.selection.as_ref();
                need(selection.is_some(), "nothing scored yet")?;
                let frozen = self == Self::Export && project.is_some_and(|project| !project.selections.is_empty());
                need(frozen || selection.is_some_and(|selection| selection.selected > 0), "the selection is empty")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_stands_once_with_its_own_name_and_key() {
        let names: BTreeSet<_> = Command::ALL.iter().map(|command| command.name()).collect();
        assert_eq!(names.len(), Command::ALL.len());
        let keys: Vec<_> = Command::ALL.iter().filter_map(|command| command.shortcut()).collect();
        for (place, key) in keys.iter().enumerate() {
            assert!(!keys[place + 1..].contains(key), "{key:?} is given twice");
        }
    }

    #[test]
    fn every_command_tells_more_than_its_name() {
        let told: BTreeSet<_> = Command::ALL.iter().map(|command| command.description()).collect();
        for command in Command::ALL {
            let alone = command.description().split_whitespace().count() > 2;
            assert!(alone, "{}: {}", command.name(), command.description());
        }
        // The three steps of the scale, and both ways of a walk or a zoom, share their words.
        assert_eq!(told.len() + 4, Command::ALL.len());
    }

    #[test]
    fn without_a_project_little_can_be_had() {
        let state = AppState::default();
        assert!(Command::Freeze.enabled(&state).is_err());
        assert!(Command::Palette.enabled(&state).is_ok());
        assert_eq!(Command::OpenDemo.enabled(&state), Err("the demo is not there"));
    }
}
