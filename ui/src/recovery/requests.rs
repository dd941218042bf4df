//! What is asked of the engine about arms and verdicts, when, and what its answers change.

use std::rc::Rc;

use paser_protocol::{ArmPlan, ArmState, ArmView, Reply, Report, Request, SelectionPlan};

use super::{Pending, Want};
use crate::{
    dialogs::Dialog,
    state::{AppState, ColourBy, For, Screen},
};

/// Seconds between two looks at arms in training.
const AGAIN: f64 = 1.0;

impl AppState {
    /// Asks for what the workspace on screen lacks; while arms are trained, again and again. Seconds until the next look.
    pub(crate) fn ask_for_recovery(&mut self) -> Option<f64> {
        let revision = self.project.as_ref()?.revision;
        let wanted =
            self.screen == Screen::Recover || self.colour == ColourBy::DamageLeft && self.screen.is_work_place();
        if !wanted {
            return None;
        }
        let live = self.is_training();
        let old = match self.recovery.asked {
            Some((asked, at)) => asked != revision || (live || self.recovery.live) && self.now - at >= AGAIN,
            None => true,
        };
        if old && !self.recovery.waiting {
            self.recovery.waiting = true;
            self.recovery.live = live;
            self.recovery.asked = Some((revision, self.now));
            self.ask(Request::Recovery, For::Recover(Want::View));
        }
        self.ask_for_verdict();
        live.then_some(AGAIN)
    }

    fn ask_for_verdict(&mut self) {
        let recovery = &self.recovery;
        let Some(view) = recovery.view.clone().filter(|_| self.screen == Screen::Recover) else { return };
        let Some((first, second)) = recovery.pair(&view) else { return };
        let done = |arm: &ArmView| arm.runs.iter().any(|run| run.state == ArmState::Done);
        let chosen = view.metrics.iter().find(|info| info.metric == recovery.shown.verdict_metric);
        let metric = chosen.or_else(|| view.metrics.first()).map(|info| info.metric.clone());
        let Some(metric) = metric.filter(|_| done(first) && done(second)) else {
            self.recovery.verdict = None;
            self.recovery.verdict_asked = None;
            return;
        };
        let (first, second) = (first.name.clone(), second.name.clone());
        let asked = (first.clone(), second.clone(), metric.clone(), view.revision);
        let before = self.recovery.verdict_asked.replace(asked.clone());
        if before.as_ref() == Some(&asked) {
            return;
        }
        // Numbers of one pair never stand below the names of another.
        if before.is_none_or(|before| (&before.0, &before.1, &before.2) != (&asked.0, &asked.1, &asked.2)) {
            (self.recovery.verdict, self.recovery.verdict_problem) = (None, None);
        }
        self.recovery.newest += 1;
        self.ask(Request::Verdict { first, second, metric }, For::Recover(Want::Verdict(self.recovery.newest)));
    }

    /// Adds arms once the selections that they need are frozen.
    pub(crate) fn add_arms(&mut self, arms: Vec<ArmPlan>, freeze: Vec<(SelectionPlan, String)>) {
        if freeze.is_empty() {
            let names = arms.iter().map(|arm| arm.name.clone()).collect();
            self.ask(Request::AddArms { arms }, For::Recover(Want::Added(names)));
            return;
        }
        self.recovery.pending = Some(Pending { missing: freeze.iter().map(|(_, name)| name.clone()).collect(), arms });
        for (plan, name) in freeze {
            self.ask(Request::FreezePlan { plan, name: name.clone() }, For::Recover(Want::Frozen(name)));
        }
    }

    pub(crate) fn recovery_reply(&mut self, want: Want, reply: Reply) {
        let now = self.now;
        match (want, reply) {
            (Want::Verdict(number), Reply::Verdict(verdict)) => {
                if number == self.recovery.newest {
                    (self.recovery.verdict, self.recovery.verdict_problem) = (Some(Rc::new(*verdict)), None);
                }
                return;
            }
            (Want::Frozen(name), _) => {
                self.ask_project();
                let Some(pending) = &mut self.recovery.pending else { return };
                pending.missing.remove(&name);
                if pending.missing.is_empty()
                    && let Some(pending) = self.recovery.pending.take()
                {
                    self.add_arms(pending.arms, Vec::new());
                }
                return;
            }
            (Want::File | Want::Report, reply) => return self.file_written(reply),
            (Want::View, Reply::Recovery(view)) => return self.recovery.arrived(*view),
            (Want::View, _) => self.recovery.waiting = false,
            (Want::Added(names), reply) => {
                if matches!(self.dialog, Some(Dialog::AddArms(_))) {
                    self.dialog = None;
                }
                self.screen = Screen::Recover;
                let what = match names.as_slice() {
                    [name] => format!("{name} is an arm now"),
                    names => format!("{} are arms now", names.join(" and ")),
                };
                self.toasts.say(now, what, "Train starts what is missing.");
                self.take(reply);
            }
            (Want::Removed(name), reply) => {
                self.dialog = None;
                self.toasts.say(now, format!("{name} is no arm any more"), "What it has trained is kept for a while.");
                self.take(reply);
            }
            (Want::Settings, reply) => {
                self.dialog = None;
                self.toasts.say(now, "The settings of recovery are written", "Arms trained before keep theirs.");
                self.take(reply);
            }
            (Want::Read(name), reply) => {
                self.dialog = None;
                self.toasts.say(now, format!("{name} stands beside the arms"), "");
                self.take(reply);
            }
            (_, reply) => self.take(reply),
        }
        self.recovery.stale();
        self.ask_project();
    }

    fn take(&mut self, reply: Reply) {
        if let Reply::Recovery(view) = reply {
            self.recovery.arrived(*view);
        }
    }

    /// An arm's weights, its data or a report were written, or are to be fetched.
    fn file_written(&mut self, reply: Reply) {
        let now = self.now;
        self.dialog = None;
        match reply {
            Reply::Exported(exported) => match (exported.paths.first(), exported.download) {
                (_, Some(download)) => self.download = Some(download),
                (Some(path), None) => self.toasts.say(now, "Written", path),
                (None, None) => {}
            },
            Reply::Reported { path } => self.toasts.say(now, "Written", path),
            _ => self.toasts.say(now, "Written", ""),
        }
    }

    /// True: the report stands where it belongs, and needs no message.
    pub(crate) fn recovery_refused(&mut self, want: &Want, report: &Report) -> bool {
        match want {
            Want::View => {
                self.recovery.waiting = false;
                self.recovery.problem = Some(report.clone());
                return true;
            }
            Want::Verdict(number) => {
                if *number == self.recovery.newest {
                    self.recovery.verdict_problem = Some(report.clone());
                }
                return true;
            }
            Want::Frozen(_) => self.recovery.pending = None,
            _ => {}
        }
        match &mut self.dialog {
            Some(Dialog::AddArms(form)) => form.waiting = false,
            Some(Dialog::ArmFile(form)) => form.waiting = false,
            Some(Dialog::RecoveryReport(form)) => form.waiting = false,
            Some(Dialog::ReadRun(form)) => form.waiting = false,
            _ => {}
        }
        false
    }
}
