//! The fold of the jobs strip: the process that computes, its memory, and the last lines of the job's log.

use egui::{Area, Id, Order, Rect, Ui, pos2, vec2};
use paser_protocol::{JobView, WorkerView};

use crate::{
    format,
    state::AppState,
    widgets::{Words, look},
};

const WIDTH: f32 = 560.0;
const LINE: f32 = 18.0;
const MARGIN: f32 = 10.0;
/// Lines of the log that have room, whatever there are: the fold does not jump.
const LINES: u8 = 6;

/// Where the work is done, in one line.
pub fn place(job: &JobView) -> String {
    match &job.worker {
        None => format!("{}: in the engine's own process", job.stage.name()),
        Some(worker) => format!("{}: process {}, {}{}", job.stage.name(), worker.pid, worker.what, memory(worker)),
    }
}

/// `, 412 MB of memory, at most 530 MB`; empty where the system does not tell.
fn memory(worker: &WorkerView) -> String {
    match (worker.memory_bytes, worker.peak_memory_bytes) {
        (0, _) => String::new(),
        (now, peak) => format!(", {} of memory, at most {}", format::bytes(now), format::bytes(peak.max(now))),
    }
}

/// Above the strip, while a job runs and the fold is open.
pub fn show(ui: &Ui, bar: Rect, state: &mut AppState) {
    let Some(job) = state.project.as_ref().and_then(|project| project.job.clone()).filter(|_| state.panels.job) else {
        return;
    };
    let look = look(ui);
    let height = 2.0 * MARGIN + LINE * f32::from(LINES + 1) + 4.0;
    let size = vec2(WIDTH.min(bar.width() - 20.0), height);
    let corner = pos2(bar.left() + 10.0, bar.top() - height - 8.0);
    let area = Area::new(Id::unique("job details")).order(Order::Middle).fixed_pos(corner).constrain(false);
    area.show(ui.ctx(), |ui| {
        let (rect, _) = ui.allocate_exact_size(size, egui::Sense::click());
        ui.painter().rect(rect, 4.0, look.overlay, egui::Stroke::new(1.0, look.edge), egui::StrokeKind::Inside);
        state.note("job details", rect);
        let inside = rect.shrink(MARGIN);
        let mut line = |at: f32, words: Words| {
            words.at(ui, pos2(inside.left(), inside.top() + at), egui::Align2::LEFT_CENTER, inside.width());
        };
        line(LINE / 2.0, Words::of(look).t(place(&job)).t3("   times in UTC"));
        let log = job.worker.map(|worker| worker.log).unwrap_or_default();
        if log.is_empty() {
            line(LINE * 1.5 + 4.0, Words::of(look).t3("The log is empty so far."));
        }
        let mut at = LINE * 1.5 + 4.0;
        for text in log.iter().skip(log.len().saturating_sub(usize::from(LINES))) {
            line(at, Words::of(look).num2(text));
            at += LINE;
        }
    });
}

#[cfg(test)]
mod tests {
    use paser_protocol::Stage;

    use super::*;

    #[test]
    fn what_the_system_does_not_tell_is_left_out() {
        let worker = WorkerView { pid: 7, what: "scoring".to_owned(), ..WorkerView::default() };
        let mut job = JobView {
            stage: Stage::Score,
            what: "scoring".to_owned(),
            done: 0,
            total: 0,
            unit: String::new(),
            seconds: 0.0,
            eta_seconds: None,
            cancelling: false,
            lasting: true,
            worker: Some(worker.clone()),
        };
        assert_eq!(place(&job), "score: process 7, scoring");
        job.worker = Some(WorkerView { memory_bytes: 2_000_000_000, peak_memory_bytes: 1, ..worker });
        assert!(place(&job).ends_with("of memory, at most 2.0 GB"), "{}", place(&job));
        job.worker = None;
        assert!(place(&job).ends_with("own process"));
    }
}
