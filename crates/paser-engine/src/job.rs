//! Work in shards that a kill cannot lose: a fixed plan, each shard durable before it counts, and a resume that takes
//! up the finished ones whose checksum holds. The bytes are those of a run that was never stopped.

use std::time::Instant;

use paser_project::{Arrays, Folder, Job, ShardPlan};
use paser_protocol::Monitor;

use crate::{
    progress::Part,
    trouble::{Outcome, Told},
};

/// A job whose shards are all there.
pub(crate) struct Shards {
    job: Job,
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

/// Computes what is not finished. `units` of a shard count for progress; `compute` gets its rows and a monitor that
/// reports within the whole; `finished` hears of the
/// shards found, all at once, and then of each that is computed.
pub(crate) fn run(
    folder: &Folder,
    plan: ShardPlan,
    monitor: &dyn Monitor,
    units: impl Fn(&[u32]) -> u64,
    mut compute: impl FnMut(&[u32], &Part<'_>) -> Outcome<Arrays>,
    mut finished: impl FnMut(&[(&[u32], &Arrays)]),
) -> Outcome<Shards> {
    let job = Job::open(&folder.jobs(), plan).map_err(Told::told)?;
    let costs: Vec<u64> = job.plan().shards.iter().map(|rows| units(rows)).collect();
    let total: u64 = costs.iter().sum();
    let count = job.plan().shards.len();
    let mut found: Vec<Option<Arrays>> =
        (0..count).map(|shard| job.finished(shard).map(|(_, arrays)| arrays)).collect();
    let mut done: u64 = found.iter().zip(&costs).filter(|(shard, _)| shard.is_some()).map(|(_, cost)| cost).sum();
    monitor.progress(done, total);
    let resumed: Vec<_> = job
        .plan()
        .shards
        .iter()
        .zip(&found)
        .filter_map(|(rows, arrays)| Some((rows.as_slice(), arrays.as_ref()?)))
        .collect();
    if !resumed.is_empty() {
        finished(&resumed);
    }
    drop(resumed);
    let mut computed = 0;
    for (shard, cost) in costs.iter().enumerate() {
        if found[shard].is_some() {
            continue;
        }
        let started = Instant::now();
        let part = Part { monitor, from: done, total };
        let arrays = compute(&job.plan().shards[shard], &part)?;
        job.finish(shard, &arrays, *cost, started.elapsed().as_secs_f64()).map_err(Told::told)?;
        finished(&[(&job.plan().shards[shard], &arrays)]);
        found[shard] = Some(arrays);
        computed += 1;
        done += cost;
        monitor.progress(done, total);
    }
    Ok(Shards { job, arrays: found.into_iter().flatten().collect(), computed, total: count })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use paser_project::Array;
    use paser_protocol::{Failure, Report, Silent};

    use super::*;

    fn column(rows: &[u32]) -> Arrays {
        let mut arrays = Arrays::new();
        arrays.insert("a", Array::column(rows.iter().map(|row| row * 10).collect::<Vec<u32>>()));
        arrays
    }

    #[test]
    fn a_stopped_job_goes_on_where_it_stopped() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::create(place.path()).unwrap();
        let plan = || ShardPlan::cut("score", "key", &[2, 0, 1, 3, 4], 2);
        let mut seen = 0;
        let stopped = run(
            &folder,
            plan(),
            &Silent,
            |rows| rows.len() as u64,
            |rows, _| {
                seen += 1;
                if seen == 3 { Err(Report::new(Failure::Cancelled, "stop", "")) } else { Ok(column(rows)) }
            },
            |_| {},
        );
        assert!(stopped.is_err());
        let mut heard = Vec::new();
        let shards = run(
            &folder,
            plan(),
            &Silent,
            |rows| rows.len() as u64,
            |rows, part| {
                assert_eq!((part.from, part.total, rows), (4, 5, &[4_u32][..]));
                Ok(column(rows))
            },
            |shards| heard.push(shards.iter().map(|(rows, _)| rows.to_vec()).collect::<Vec<_>>()),
        )
        .unwrap();
        assert_eq!(heard, [vec![vec![2, 0], vec![1, 3]], vec![vec![4]]], "those found come first, at once");
        assert_eq!((shards.computed, shards.total), (1, 3));
        let values: Vec<u32> = shards.parts().flat_map(|(_, arrays)| arrays.u32("a").unwrap().to_vec()).collect();
        assert_eq!(values, [20, 0, 10, 30, 40]);
        shards.clear().unwrap();
    }
}
