//! Work in shards that a kill cannot lose: a fixed plan, each shard durable before it counts, and a resume that takes
//! up the finished ones whose checksum holds. The bytes are those of a run that was never stopped.

use std::{sync::Arc, time::Instant};

use paser_project::{Arrays, Job, ShardPlan};
use paser_protocol::Monitor;

use crate::{
    delegate,
    progress::Part,
    stages::{Bench, Hands},
    trouble::{Outcome, Told},
    worker,
};

/// A job whose shards are all there.
pub(crate) struct Shards {
    job: Arc<Job>,
    /// Empty in a worker, which merges nothing.
    arrays: Vec<Arrays>,
    /// Shards that this run computed, the others were found.
    pub computed: usize,
    pub total: usize,
}

impl Shards {
    /// Rows and arrays of each shard, in plan order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&[u32], &Arrays)> {
        self.job.plan().shards.iter().map(Vec::as_slice).zip(&self.arrays)
    }

    /// Removes the shards, once the artefact that holds them all is stored.
    pub(crate) fn clear(self) -> Outcome<()> {
        self.job.clear().map_err(Told::told)
    }
}

/// Hears of finished shards: their rows and their arrays.
pub(crate) type Hear<'a> = &'a mut dyn FnMut(&[(&[u32], &Arrays)]);

/// A piece of work: what it is called, what it counts, and what its worker has to be told besides recipe and plan.
#[derive(Clone, Copy)]
pub(crate) struct Named<'a> {
    pub what: &'a str,
    pub unit: &'static str,
    pub details: Option<&'a str>,
}

/// Computes what is not finished, here or by a worker. `units` of a shard count for progress; `compute` gets its rows
/// and a monitor that reports within the whole; `finished` hears of the shards found, all at once, and then of each that
/// is computed.
pub(crate) fn run(
    bench: &Bench<'_>,
    named: Named<'_>,
    plan: ShardPlan,
    units: impl Fn(&[u32]) -> u64,
    compute: impl FnMut(&[u32], &Part<'_>) -> Outcome<Arrays>,
    mut finished: impl FnMut(&[(&[u32], &Arrays)]),
) -> Outcome<Shards> {
    let costs: Vec<u64> = plan.shards.iter().map(|rows| units(rows)).collect();
    bench.work(named.what, named.unit, |monitor| match bench.hands {
        Hands::Here => here(open(bench, plan)?, &costs, monitor, compute, finished),
        Hands::Program(program) => {
            let job = open(bench, plan)?;
            let mut found = finished_before(&job, &mut finished);
            let before = found.iter().flatten().count();
            delegate::follow(bench, program, &job, (named, &costs), monitor, &mut found, &mut finished)?;
            let arrays: Vec<Arrays> = found.into_iter().flatten().collect();
            Ok(Shards { computed: arrays.len() - before, total: costs.len(), job: Arc::new(job), arrays })
        }
        Hands::Worker(job) if *job.plan() == plan => {
            // The owner reads shards; a worker only looks whether they are whole.
            let whole: Vec<bool> = (0..costs.len()).map(|shard| job.finished(shard).is_some()).collect();
            let computed = rest(job, &costs, &whole, monitor, compute, |_, _| {})?;
            Ok(Shards { job: Arc::clone(job), arrays: Vec::new(), computed, total: costs.len() })
        }
        Hands::Worker(job) => Err(worker::changed(job.folder())),
    })
}

/// The same, always in this process: for work that no worker knows.
pub(crate) fn run_here(
    bench: &Bench<'_>,
    what: &str,
    unit: &str,
    plan: ShardPlan,
    units: impl Fn(&[u32]) -> u64,
    compute: impl FnMut(&[u32], &Part<'_>) -> Outcome<Arrays>,
) -> Outcome<Shards> {
    let costs: Vec<u64> = plan.shards.iter().map(|rows| units(rows)).collect();
    bench.work(what, unit, |monitor| here(open(bench, plan)?, &costs, monitor, compute, |_| {}))
}

fn open(bench: &Bench<'_>, plan: ShardPlan) -> Outcome<Job> {
    Job::open(&bench.session.folder.jobs(), plan).map_err(Told::told)
}

/// The shards that are finished already, of which `finished` hears.
fn finished_before(job: &Job, finished: Hear<'_>) -> Vec<Option<Arrays>> {
    let shards = &job.plan().shards;
    let found: Vec<Option<Arrays>> =
        (0..shards.len()).map(|shard| job.finished(shard).map(|(_, arrays)| arrays)).collect();
    let whole = shards.iter().zip(&found).filter_map(|(rows, arrays)| Some((rows.as_slice(), arrays.as_ref()?)));
    let resumed: Vec<_> = whole.collect();
    if !resumed.is_empty() {
        finished(&resumed);
    }
    found
}

/// All of it in this process.
fn here(
    job: Job,
    costs: &[u64],
    monitor: &dyn Monitor,
    compute: impl FnMut(&[u32], &Part<'_>) -> Outcome<Arrays>,
    mut finished: impl FnMut(&[(&[u32], &Arrays)]),
) -> Outcome<Shards> {
    let mut found = finished_before(&job, &mut finished);
    let whole: Vec<bool> = found.iter().map(Option::is_some).collect();
    let computed = rest(&job, costs, &whole, monitor, compute, |shard, arrays| {
        finished(&[(&job.plan().shards[shard], &arrays)]);
        found[shard] = Some(arrays);
    })?;
    Ok(Shards { job: Arc::new(job), arrays: found.into_iter().flatten().collect(), computed, total: costs.len() })
}

/// Computes the shards that are not whole and gives each to `made`; how many there were.
fn rest(
    job: &Job,
    costs: &[u64],
    whole: &[bool],
    monitor: &dyn Monitor,
    mut compute: impl FnMut(&[u32], &Part<'_>) -> Outcome<Arrays>,
    mut made: impl FnMut(usize, Arrays),
) -> Outcome<usize> {
    let total: u64 = costs.iter().sum();
    let mut done: u64 = whole.iter().zip(costs).filter(|(whole, _)| **whole).map(|(_, cost)| cost).sum();
    monitor.progress(done, total);
    let mut computed = 0;
    for (shard, cost) in costs.iter().enumerate().filter(|(shard, _)| !whole[*shard]) {
        let started = Instant::now();
        let part = Part { monitor, from: done, total, shard };
        let arrays = compute(&job.plan().shards[shard], &part)?;
        job.finish(shard, &arrays, *cost, started.elapsed().as_secs_f64()).map_err(Told::told)?;
        made(shard, arrays);
        computed += 1;
        done += cost;
        monitor.progress(done, total);
    }
    Ok(computed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use paser_project::{Array, Folder};
    use paser_protocol::{Failure, Report, Silent};

    use super::*;

    fn column(rows: &[u32]) -> Arrays {
        let mut arrays = Arrays::new();
        arrays.insert("a", Array::column(rows.iter().map(|row| row * 10).collect::<Vec<u32>>()));
        arrays
    }

    /// A run of the plan in this process.
    fn run(
        folder: &Folder,
        compute: impl FnMut(&[u32], &Part<'_>) -> Outcome<Arrays>,
        finished: impl FnMut(&[(&[u32], &Arrays)]),
    ) -> Outcome<Shards> {
        let plan = ShardPlan::cut("score", "key", &[2, 0, 1, 3, 4], 2);
        let costs: Vec<u64> = plan.shards.iter().map(|rows| rows.len() as u64).collect();
        here(Job::open(&folder.jobs(), plan).unwrap(), &costs, &Silent, compute, finished)
    }

    #[test]
    fn a_stopped_job_goes_on_where_it_stopped() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::create(place.path()).unwrap();
        let mut seen = 0;
        let stop = |rows: &[u32], _: &Part<'_>| {
            seen += 1;
            if seen == 3 { Err(Report::new(Failure::Cancelled, "stop", "")) } else { Ok(column(rows)) }
        };
        assert!(run(&folder, stop, |_| {}).is_err());
        let mut heard = Vec::new();
        let last = |rows: &[u32], part: &Part<'_>| {
            assert_eq!((part.from, part.total, rows), (4, 5, &[4_u32][..]));
            Ok(column(rows))
        };
        let hear = |shards: &[(&[u32], &Arrays)]| {
            heard.push(shards.iter().map(|(rows, _)| rows.to_vec()).collect::<Vec<_>>());
        };
        let shards = run(&folder, last, hear).unwrap();
        assert_eq!(heard, [vec![vec![2, 0], vec![1, 3]], vec![vec![4]]], "those found come first, at once");
        assert_eq!((shards.computed, shards.total), (1, 3));
        let values: Vec<u32> = shards.parts().flat_map(|(_, arrays)| arrays.u32("a").unwrap().to_vec()).collect();
        assert_eq!(values, [20, 0, 10, 30, 40]);
        shards.clear().unwrap();
    }
}
