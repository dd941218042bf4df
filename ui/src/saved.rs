//! What of the window outlives it: theme, scale, panels and where they stand, and for the last project its screen, brush, camera and
//! colours. Written as JSON into the page's storage.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    compare::{Lower, Measure},
    layout::Layouts,
    map::Camera,
    recovery::Shown,
    state::{AppState, Brush, ColourBy, Panels, Screen, Tool},
    theme::Mode,
};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Saved {
    pub mode: Mode,
    pub scale: Option<f32>,
    pub panels: Panels,
    pub layouts: Layouts,
    pub colour: ColourBy,
    pub tool: Tool,
    pub screen: Screen,
    /// Path of the open project.
    pub project: Option<String>,
    pub brushed: BTreeSet<u32>,
    pub inspected: Option<u32>,
    pub camera: Option<Camera>,
    pub sort: (String, bool),
    /// Selections side by side, by letter.
    pub compared: Vec<String>,
    pub lower: Lower,
    pub measure: Measure,
    /// What is shown of the arms.
    pub recover: Shown,
}

impl Saved {
    pub fn of(state: &AppState, camera: Camera, scale: f32) -> Self {
        Self {
            mode: state.mode,
            scale: Some(scale),
            panels: state.panels.clone(),
            layouts: state.layouts.clone(),
            colour: state.colour.clone(),
            tool: state.tool,
            screen: state.screen,
            project: state.project.as_ref().map(|project| project.path.clone()),
            brushed: match state.focus.brush() {
                Brush::Clusters(clusters) => clusters.clone(),
                _ => BTreeSet::new(),
            },
            inspected: state.focus.inspected,
            camera: (!camera.fitted).then_some(camera),
            sort: (state.table.sort.clone(), state.table.descending),
            compared: state.compare.names.clone(),
            lower: state.compare.lower,
            measure: state.compare.measure,
            recover: state.recovery.shown.clone(),
        }
    }

    /// What does not need a project.
    pub fn restore(&self, state: &mut AppState) {
        state.mode = self.mode;
        state.panels = self.panels.clone();
        state.layouts = self.layouts.clone();
        state.colour = self.colour.clone();
        state.tool = self.tool;
        state.compare.lower = self.lower;
        state.compare.measure = self.measure;
        state.recovery.shown = self.recover.clone();
    }

    /// Back to where one was, if `path` is the project of last time.
    pub fn restore_project(&self, state: &mut AppState, path: &str) -> Option<Camera> {
        if self.project.as_deref() != Some(path) {
            return None;
        }
        if !self.brushed.is_empty() {
            state.focus.set_brush(Brush::Clusters(self.brushed.clone()));
        }
        state.focus.inspected = self.inspected;
        (state.table.sort, state.table.descending) = self.sort.clone();
        state.compare.names.clone_from(&self.compared);
        state.recovery.shown = self.recover.clone();
        state.screen = self.screen;
        self.camera
    }
}
