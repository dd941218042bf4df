//! Errors and notices at the lower right: what happened, what to do. They stay until closed when something failed,
//! and go by themselves when nothing did.

use std::collections::VecDeque;

use egui::{Align2, Area, Color32, Context, Frame, Id, Order, Stroke, Vec2};
use paser_protocol::{Failure, Report};

use super::{Button, Words, icon_button, look, row};
use crate::theme::icons;

/// Lines of a sentence; the rest of a longer one is told by hovering.
const MOST_LINES: usize = 12;

#[derive(Clone, Debug, PartialEq)]
pub struct Toast {
    pub what: String,
    pub advice: String,
    pub failed: bool,
    /// Nothing was done: it only tells.
    pub remark: bool,
    /// Entries of the journal that its Undo takes back.
    undo: Vec<u64>,
    /// When it goes, in seconds of the egui clock.
    until: Option<f64>,
    /// Its sentence was too long for its place when it was drawn last.
    pub cut: bool,
}

impl Toast {
    fn new(what: impl Into<String>, advice: impl Into<String>, failed: bool, until: Option<f64>) -> Self {
        Self { what: what.into(), advice: advice.into(), failed, remark: false, undo: Vec::new(), until, cut: false }
    }
}

/// A message that was shown once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    pub what: String,
    pub advice: String,
    pub failed: bool,
    pub remark: bool,
    /// Seconds since 1970.
    pub at: u64,
}

/// Messages that are kept after they went.
const MOST_PAST: usize = 200;

#[derive(Default)]
pub struct Toasts {
    shown: VecDeque<Toast>,
    past: VecDeque<Past>,
    /// Undo was pressed: the entries, and what the message said.
    pub undone: Option<(Vec<u64>, String)>,
    /// Where Undo of the newest message was drawn last.
    pub undo_at: Option<egui::Rect>,
    /// Seconds since 1970.
    pub wall: u64,
}

impl Toasts {
    /// A failure stays until closed. The same sentence is shown once.
    pub fn report(&mut self, report: &Report) {
        if report.failure == Failure::Cancelled {
            return;
        }
        let toast = Toast::new(&report.what, &report.advice, true, None);
        if !self.shown.iter().any(|shown| shown.what == toast.what && shown.advice == toast.advice) {
            self.keep(&toast);
            self.shown.push_back(toast);
        }
        while self.shown.len() > 4 {
            self.shown.pop_front();
        }
    }

    pub fn say(&mut self, now: f64, what: impl Into<String>, advice: impl Into<String>) {
        let toast = Toast::new(what, advice, false, Some(now + 6.0));
        self.keep(&toast);
        self.shown.push_back(toast);
        while self.shown.len() > 4 {
            self.shown.pop_front();
        }
    }

    /// Something worth knowing, of which nothing came.
    pub fn remark(&mut self, now: f64, what: impl Into<String>, advice: impl Into<String>) {
        self.say(now, what, advice);
        if let Some(toast) = self.shown.back_mut() {
            toast.remark = true;
        }
        if let Some(past) = self.past.back_mut() {
            past.remark = true;
        }
    }

    /// The newest message gets an Undo of these entries.
    pub fn give_undo(&mut self, entries: &[u64]) {
        if let Some(toast) = self.shown.back_mut() {
            toast.undo = entries.to_vec();
        }
    }

    pub fn newest_has_undo(&self) -> bool {
        self.shown.back().is_some_and(|toast| !toast.undo.is_empty())
    }

    /// What could be taken back is another thing now.
    pub fn forget_undo(&mut self) {
        self.shown.iter_mut().for_each(|toast| toast.undo.clear());
    }

    /// The newest message is said again, with more.
    pub fn take_newest_back(&mut self) {
        self.shown.pop_back();
        self.past.pop_back();
    }

    fn keep(&mut self, toast: &Toast) {
        let Toast { what, advice, failed, remark, .. } = toast.clone();
        self.past.push_back(Past { what, advice, failed, remark, at: self.wall });
        while self.past.len() > MOST_PAST {
            self.past.pop_front();
        }
    }

    /// Every message so far, the oldest first.
    pub fn past(&self) -> &VecDeque<Past> {
        &self.past
    }

    pub fn texts(&self) -> Vec<String> {
        self.shown.iter().map(|toast| toast.what.clone()).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Toast> {
        self.shown.iter()
    }

    /// For a new try: what the last one said is over.
    pub fn clear_failures(&mut self) {
        self.shown.retain(|toast| !toast.failed);
    }

    /// `aside`: at the left, where they lie over no dialog's buttons.
    pub fn show(&mut self, ctx: &Context, now: f64, bottom: f32, aside: bool) {
        if let Some(first) = self.shown.iter().filter_map(|toast| toast.until).min_by(f64::total_cmp) {
            ctx.request_repaint_after_secs((first - now).max(0.05) as f32);
        }
        self.shown.retain(|toast| toast.until.is_none_or(|until| until > now));
        if self.shown.is_empty() {
            return;
        }
        let mut closed = None;
        self.undo_at = None;
        let (corner, x) = if aside { (Align2::LEFT_BOTTOM, 12.0) } else { (Align2::RIGHT_BOTTOM, -12.0) };
        Area::new(Id::unique("toasts"))
            .order(Order::Tooltip)
            .anchor(corner, Vec2::new(x, -bottom))
            .accessible_name("Messages")
            .show(ctx, |ui| {
                ui.spacing_mut().item_spacing = Vec2::new(0.0, 8.0);
                for (place, toast) in self.shown.iter_mut().enumerate() {
                    let (close, undo) = one(ui, toast);
                    self.undo_at = undo.as_ref().map(|undo| undo.rect).or(self.undo_at);
                    if undo.is_some_and(|undo| undo.clicked()) {
                        self.undone = Some((toast.undo.clone(), toast.what.clone()));
                        closed = Some(place);
                    }
                    if close {
                        closed = Some(place);
                    }
                }
            });
        if let Some(place) = closed {
            self.shown.remove(place);
        }
    }
}

/// Whether it was closed, and its Undo.
fn one(ui: &mut egui::Ui, toast: &mut Toast) -> (bool, Option<egui::Response>) {
    let look = look(ui);
    let (mut closed, mut undo) = (false, None);
    let frame = Frame::new()
        .fill(look.overlay)
        .stroke(Stroke::new(1.0, look.edge))
        .corner_radius(4)
        .inner_margin(egui::Margin { left: 12, right: 6, top: 6, bottom: 10 });
    frame.show(ui, |ui| {
        ui.set_width(412.0);
        ui.spacing_mut().item_spacing = Vec2::ZERO;
        let undo_width = if toast.undo.is_empty() { 0.0 } else { 56.0 };
        let (icon, colour) = match (toast.failed, toast.remark) {
            (true, _) => (icons::X_CIRCLE, look.error),
            (false, true) => (icons::INFO, look.text_2),
            (false, false) => (icons::CHECK, look.ok),
        };
        let what = Words::new(ui).strong(&toast.what).galley(ui, 412.0 - 23.0 - 32.0 - undo_width, MOST_LINES);
        toast.cut = what.elided;
        let height = (what.size().y + 8.0).max(26.0);
        let (rect, whole) = ui.allocate_exact_size(Vec2::new(412.0, height), egui::Sense::hover());
        if toast.cut {
            whole.on_hover_text(&toast.what);
        }
        ui.painter().text(
            egui::pos2(rect.left() + 8.0, rect.top() + 13.0),
            Align2::CENTER_CENTER,
            icon,
            crate::theme::icon(16.0),
            colour,
        );
        let at = egui::pos2(rect.left() + 23.0, rect.top() + 13.0 - 7.5);
        super::say(ui, egui::Rect::from_min_size(at, what.size()), &toast.what);
        ui.painter().galley(at, what, Color32::PLACEHOLDER);
        let corner = egui::Rect::from_min_size(egui::pos2(rect.right() - 26.0, rect.top()), Vec2::splat(26.0));
        if !toast.undo.is_empty() {
            let at = egui::Rect::from_min_size(corner.min - Vec2::new(undo_width, 0.0), Vec2::new(undo_width, 26.0));
            undo = Some(row(ui, at, 0.0, |ui| {
                ui.add(Button::new("Undo").height(22.0).name(&format!("Undo: {}", toast.what)))
            }));
        }
        row(ui, corner, 0.0, |ui| closed = icon_button(ui, icons::X, "Close message", false, None).clicked());
        if !toast.advice.is_empty() {
            ui.add_space(2.0);
            // Below the sentence, not below its icon.
            let margin = egui::Margin { left: 23, right: 8, top: 0, bottom: 0 };
            Frame::new().inner_margin(margin).show(ui, |ui| Words::new(ui).t2(&toast.advice).wrapped(ui));
        }
    });
    (closed, undo)
}
