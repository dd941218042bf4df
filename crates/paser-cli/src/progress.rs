//! Progress on stderr: a bar on a terminal, one line every ten seconds elsewhere. Also the way by which Ctrl-C
//! reaches running work.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use paser_engine::{ModelKind, model_folder};
use paser_protocol::{JobView, Monitor, Report};

use crate::interrupt;
use crate::output::{duration, thousands, wants_colour};

/// Where no terminal is: the time between two lines.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// One piece of work.
pub struct Progress {
    what: String,
    unit: &'static str,
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Mutex<Instant>,
    /// Progress comes from many threads; it only ever rises.
    furthest: AtomicU64,
}

impl Progress {
    /// `what` is done, `unit` counted: `scoring`, `tokens`.
    pub fn new(what: &str, unit: &'static str) -> Self {
        let now = Instant::now();
        Self {
            what: what.to_owned(),
            unit,
            bar: std::io::stderr().is_terminal().then(|| bar(what)),
            started: now,
            last_line: Mutex::new(now),
            furthest: AtomicU64::new(0),
        }
    }

    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn show(&self, done: u64, total: u64, unit: &str, eta: Option<f64>) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(eta.map_or_else(String::new, |seconds| format!("{} left", duration(seconds))));
            return;
        }
        let Ok(mut last) = self.last_line.lock() else { return };
        if last.elapsed() >= BETWEEN_LINES {
            *last = Instant::now();
            eprintln!("{}", line(&self.what, done, total, unit, eta));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Monitor for Progress {
    fn progress(&self, done: u64, total: u64) {
        let before = self.furthest.fetch_max(done, Ordering::Relaxed);
        // A second pass over the same material counts from the start again.
        let done = if done < total / 2 && before >= total {
            self.furthest.store(done, Ordering::Relaxed);
            done
        } else {
            done.max(before)
        };
        let seconds = self.seconds();
        let eta = (done > 0 && seconds > 1.0).then(|| seconds * total.saturating_sub(done) as f64 / done as f64);
        self.show(done.min(total), total, self.unit, eta);
    }

    fn cancelled(&self) -> bool {
        interrupt::requested()
    }
}

/// The folder of a model that is named on the command line: what is missing of a hub id is downloaded.
pub fn fetch(name: &str, kind: ModelKind) -> Result<PathBuf, Report> {
    model_folder(name, kind, &Progress::new(&format!("fetching {name}"), "bytes"))
}

/// The jobs of a running project, one display for each.
#[derive(Default)]
pub struct JobProgress {
    current: Option<(String, Progress)>,
}

impl JobProgress {
    pub fn show(&mut self, job: &JobView) {
        if self.current.as_ref().is_none_or(|(known, _)| *known != job.what) {
            self.current = Some((job.what.clone(), Progress::new(&job.what, "")));
        }
        if let Some((_, progress)) = &self.current {
            progress.show(job.done, job.total, &job.unit, job.eta_seconds);
        }
    }

    pub fn clear(&mut self) {
        self.current = None;
    }
}

fn bar(what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let template = if wants_colour(&std::io::stderr()) {
        "{prefix} {bar:30.cyan} {percent:>3} % {msg}"
    } else {
        "{prefix} {bar:30} {percent:>3} % {msg}"
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_owned());
    bar
}

fn line(what: &str, done: u64, total: u64, unit: &str, eta: Option<f64>) -> String {
    let percent = if total == 0 { 0.0 } else { done as f64 / total as f64 * 100.0 };
    let counted = format!("{} of {} {unit}", thousands(done), thousands(total));
    let left = eta.map_or_else(String::new, |seconds| format!(", {} left", duration(seconds)));
    format!("{what}: {percent:.0} % ({}){left}", counted.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_how_long() {
        assert_eq!(
            line("scoring", 500, 2000, "tokens", Some(75.0)),
            "scoring: 25 % (500 of 2,000 tokens), 1 min 15 s left"
        );
        assert_eq!(line("map", 0, 0, "", None), "map: 0 % (0 of 0)");
    }
}
