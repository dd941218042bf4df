//! Progress out, cancel in. A run has one reporter; each piece of work gets a monitor from it, and a ticking thread
//! tells the faces four times a second how far it is and how long it will take, whatever the work itself does.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use paser_protocol::{Event, JobView, Monitor, Stage, WorkerView};

use crate::machine;

const TICK: Duration = Duration::from_millis(250);
/// Rates are measured over this much of the past: long enough to be calm, short enough to follow a change.
const WINDOW: Duration = Duration::from_secs(12);
/// No estimate before this much work time.
const SETTLE: Duration = Duration::from_millis(1200);

/// Where events of a run go.
pub type Sink<'a> = &'a (dyn Fn(Event) + Sync);

/// One run's voice.
pub(crate) struct Reporter<'a> {
    sink: Sink<'a>,
    cancel: &'a AtomicBool,
    /// The process that does the work at hand, where it is not this one.
    worker: Mutex<Option<WorkerView>>,
    /// The most memory that such a process had since it was asked last.
    peak: AtomicU64,
}

/// Counts of the work at hand.
struct Counter<'a> {
    done: AtomicU64,
    total: AtomicU64,
    cancel: &'a AtomicBool,
}

impl Monitor for Counter<'_> {
    fn progress(&self, done: u64, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        // Reports of several threads may arrive out of order.
        self.done.fetch_max(done, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

/// Recent (time, units) pairs, from which a rate is told.
struct Rate(VecDeque<(Instant, u64)>);

impl Rate {
    fn add(&mut self, now: Instant, done: u64) {
        // What was found finished at the start of resumed work was not done in this time.
        if self.0.len() == 1 && self.0[0].1 == 0 {
            self.0.clear();
        }
        self.0.push_back((now, done));
        while self.0.len() > 2 && now - self.0[0].0 > WINDOW {
            self.0.pop_front();
        }
    }

    /// Seconds for what is left; none while nothing moved or the work is young.
    fn eta(&self, left: u64) -> Option<f64> {
        let (first, last) = (self.0.front()?, self.0.back()?);
        let seconds = (last.0 - first.0).as_secs_f64();
        let units = last.1.saturating_sub(first.1);
        (seconds >= SETTLE.as_secs_f64() && units > 0).then(|| left as f64 * seconds / units as f64)
    }
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(sink: Sink<'a>, cancel: &'a AtomicBool) -> Self {
        Self { sink, cancel, worker: Mutex::new(None), peak: AtomicU64::new(0) }
    }

    pub(crate) fn set_worker(&self, worker: Option<WorkerView>) {
        *self.worker.lock().unwrap_or_else(PoisonError::into_inner) = worker;
    }

    /// A worker had so many bytes.
    pub(crate) fn note_peak(&self, bytes: u64) {
        self.peak.fetch_max(bytes, Ordering::Relaxed);
    }

    /// The most memory that this process or a worker had.
    pub(crate) fn peak_memory(&self) -> u64 {
        machine::peak_memory().max(self.peak.load(Ordering::Relaxed))
    }

    /// Starts the peak anew.
    pub(crate) fn reset_peak_memory(&self) {
        machine::reset_peak_memory();
        self.peak.store(0, Ordering::Relaxed);
    }

    pub(crate) fn send(&self, event: Event) {
        (self.sink)(event);
    }

    pub(crate) fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// Does `work` with a monitor that counts `unit`s, and tells of it until it is done.
    pub(crate) fn work<T>(&self, stage: Stage, what: &str, unit: &str, work: impl FnOnce(&dyn Monitor) -> T) -> T {
        let counter = Counter { done: AtomicU64::new(0), total: AtomicU64::new(0), cancel: self.cancel };
        let (stop, stopped) = mpsc::sync_channel::<()>(1);
        let stopped = Mutex::new(stopped);
        let started = Instant::now();
        thread::scope(|scope| {
            let tell = || {
                let mut rate = Rate(VecDeque::new());
                loop {
                    let (done, total) = (counter.done.load(Ordering::Relaxed), counter.total.load(Ordering::Relaxed));
                    rate.add(Instant::now(), done);
                    self.send(Event::Job {
                        job: JobView {
                            stage,
                            what: what.to_owned(),
                            done: done.min(total),
                            total,
                            unit: unit.to_owned(),
                            seconds: started.elapsed().as_secs_f64(),
                            eta_seconds: rate.eta(total.saturating_sub(done)),
                            cancelling: self.cancelled(),
                            lasting: false,
                            worker: self.worker.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                        },
                    });
                    let stopped = stopped.lock().unwrap_or_else(PoisonError::into_inner);
                    if stopped.recv_timeout(TICK) != Err(mpsc::RecvTimeoutError::Timeout) {
                        return;
                    }
                }
            };
            // Without a thread to tell of it the work is done all the same.
            let ticking = thread::Builder::new().name("progress".to_owned()).spawn_scoped(scope, tell);
            let result = work(&counter);
            drop(stop);
            drop(ticking);
            result
        })
    }
}

/// A part of a longer count: the monitor of work whose `done` starts at `from` of `total`.
pub(crate) struct Part<'a> {
    pub monitor: &'a dyn Monitor,
    pub from: u64,
    pub total: u64,
    /// Which shard of its job it is.
    pub shard: usize,
}

impl Monitor for Part<'_> {
    fn progress(&self, done: u64, _total: u64) {
        self.monitor.progress(self.from + done, self.total);
    }

    fn cancelled(&self) -> bool {
        self.monitor.cancelled()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn silent_work_is_told_of_at_least_twice_a_second() {
        let events = Mutex::new(Vec::new());
        let cancel = AtomicBool::new(false);
        let sink = |event: Event| events.lock().unwrap().push(event);
        Reporter::new(&sink, &cancel).work(Stage::Score, "scoring", "tokens", |monitor| {
            monitor.progress(5, 10);
            thread::sleep(Duration::from_millis(1100));
        });
        let events = events.into_inner().unwrap();
        assert!((4..=8).contains(&events.len()), "{}", events.len());
        let Event::Job { job } = events.last().unwrap() else { panic!("{events:?}") };
        assert_eq!((job.done, job.total), (5, 10));
    }

    #[test]
    fn remaining_time_follows_the_measured_rate() {
        let start = Instant::now();
        let mut rate = Rate(VecDeque::new());
        rate.add(start, 100);
        assert!(rate.eta(100).is_none());
        rate.add(start + Duration::from_secs(2), 300);
        assert!((rate.eta(1000).unwrap() - 10.0).abs() < 1e-9);
        // Work that was done before this run counts for nothing.
        for second in 3..40 {
            rate.add(start + Duration::from_secs(second), 300 + 50 * (second - 2));
        }
        assert!((rate.eta(500).unwrap() - 10.0).abs() < 1e-9);
    }
}
