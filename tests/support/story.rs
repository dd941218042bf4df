//! One story, told in the browser and on the desktop: open the demo, click a bar, drag the budget, export.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::Window;

/// What must be the same after the window was closed and opened again.
#[derive(Debug, PartialEq)]
pub struct Left {
    pub project: Value,
    pub plan: Value,
    pub selection: Value,
    pub brushed: Value,
}

impl Left {
    pub fn of(state: &Value) -> Self {
        Self {
            project: state["project"]["path"].clone(),
            plan: state["plan"].clone(),
            selection: state["selection"].clone(),
            brushed: state["brushed_clusters"].clone(),
        }
    }
}

fn settled(state: &Value) -> bool {
    state["waiting"] == false && state["provisional"].is_null() && state["selection"]["selected"].as_u64() > Some(0)
}

impl Window {
    /// From the welcome page into the demo.
    ///
    /// # Errors
    /// It does not open.
    pub fn open_demo(&self) -> Result<Value> {
        self.click("OpenDemo")?;
        self.wait("the demo with a selection", |state| state["project"]["samples"].as_u64() > Some(0) && settled(state))
    }

    /// Clicks the worst cluster's bar, drags the budget to about a third of its track, and waits until the engine has
    /// answered.
    ///
    /// # Errors
    /// A step shows no effect.
    pub fn brush_and_budget(&self) -> Result<Left> {
        let before = self.state()?;
        self.click("bar:0")?;
        self.wait("a brushed cluster", |state| {
            state["brushed_clusters"].as_array().is_some_and(|list| list.len() == 1)
        })?;

        let [left, top, right, bottom] = self.rectangle("budget slider")?;
        let (middle, at) = (f64::midpoint(top, bottom), |share: f64| left + (right - left) * share);
        self.session.drag(&[(at(0.2), middle), (at(0.3), middle), (at(0.36), middle)])?;
        let after = self.wait("the selection of the new budget", |state| {
            settled(state) && state["selection"]["budget"] != before["selection"]["budget"]
        })?;
        let quotas = after["selection"]["quotas"].as_array().context("no quotas")?;
        let sum: u64 = quotas.iter().filter_map(Value::as_u64).sum();
        ensure!(after["selection"]["budget"].as_u64() == Some(sum), "quotas do not sum to the budget: {after:#}");
        Ok(Left::of(&after))
    }

    /// Waits until the reopened window stands where it was left.
    ///
    /// # Errors
    /// It does not.
    pub fn is_as_it_was(&self, left: &Left) -> Result<()> {
        self.wait("the window as it was left", |state| settled(state) && Left::of(state) == *left).map(drop)
    }
}
