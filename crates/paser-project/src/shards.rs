//! A job on disk: `jobs/<id>/{plan.json, state.json, log.jsonl, shards/NNNN.safetensors, done/NNNN.json}`. A shard
//! is written, synced and renamed before its marker; a killed job goes on after the last marker whose checksum
//! holds, and ends with the same bytes as one that was never killed.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::{
    Arrays, JobState, Lock, Owner, ProjectError, Work, WorkerState, durable, job_state, job_state::LogLine, sha256_hex,
    write_durably,
};

/// Log and state stay; everything else of a job goes once its artefact holds it.
const PLAN: &str = "plan.json";
const STATE: &str = "state.json";
const LOG: &str = "log.jsonl";
const WORK: &str = "work.json";
/// Held by the worker that computes the job's shards.
const WORKER_LOCK: &str = "worker.lock";
/// What a worker prints.
const PRINTED: &str = "worker.log";
/// Its presence asks the worker to stop.
const STOP: &str = "stop";
/// What one shard hands to the next.
const CARRIED: &str = "carried";

/// The fixed work of a job: which rows stand in which shard, in which order. Written once, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardPlan {
    pub stage: String,
    /// The artefact this job makes.
    pub key: String,
    /// Row numbers of the pool, shard by shard.
    pub shards: Vec<Vec<u32>>,
}

impl ShardPlan {
    /// Cuts `order` into shards of `size` rows.
    pub fn cut(stage: &str, key: &str, order: &[u32], size: usize) -> Self {
        Self::cut_by(stage, key, order, size, u64::MAX, |_| 0)
    }

    /// Cuts `order` into shards of at most `size` rows whose `cost` together is at most `most`; a row that costs more
    /// has a shard to itself.
    pub fn cut_by(stage: &str, key: &str, order: &[u32], size: usize, most: u64, cost: impl Fn(u32) -> u64) -> Self {
        let mut shards: Vec<Vec<u32>> = Vec::new();
        let mut sum = 0_u64;
        for &row in order {
            let cost = cost(row);
            match shards.last_mut() {
                Some(shard) if shard.len() < size.max(1) && sum.saturating_add(cost) <= most => {
                    shard.push(row);
                    sum = sum.saturating_add(cost);
                }
                _ => {
                    shards.push(vec![row]);
                    sum = cost;
                }
            }
        }
        Self { stage: stage.to_owned(), key: key.to_owned(), shards }
    }
}

/// Says that a shard is finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardMarker {
    pub shard: usize,
    pub sha256: String,
    pub rows: usize,
    /// Work in the stage's unit, for rate and estimate.
    pub units: u64,
    pub seconds: f64,
}

/// An open job.
#[derive(Debug)]
pub struct Job {
    folder: PathBuf,
    plan: ShardPlan,
    /// What the worker says of itself, where this process is it. Held while the state is written.
    worker: Mutex<Option<WorkerState>>,
}

impl Job {
    /// Opens the job of `plan.key`, or makes it. A folder with another plan is started anew.
    pub fn open(jobs: &Path, plan: ShardPlan) -> Result<Self, ProjectError> {
        let job = Self::new(job_folder(jobs, &plan.stage, &plan.key), plan);
        let path = job.folder.join(PLAN);
        let same = read_plan(&job.folder).is_some_and(|stored| stored == job.plan);
        if !same {
            if job.folder.exists() {
                fs_err::remove_dir_all(&job.folder)?;
            }
            for place in ["shards", "done"] {
                fs_err::create_dir_all(job.folder.join(place))?;
            }
            write_durably(&path, &serde_json::to_vec(&job.plan).map_err(std::io::Error::from)?)?;
            job.log("planned", None)?;
        } else {
            // What a worker writes that is still at work is its own.
            let at_work = job.worker().is_some();
            for place in ["shards", "done"] {
                fs_err::create_dir_all(job.folder.join(place))?;
                if !at_work {
                    durable::sweep(&job.folder.join(place))?;
                }
            }
            job.log("opened again", None)?;
        }
        job.write_state(job.markers())?;
        Ok(job)
    }

    fn new(folder: PathBuf, plan: ShardPlan) -> Self {
        Self { folder, plan, worker: Mutex::new(None) }
    }

    /// The job that was planned in `folder`; nothing is changed.
    ///
    /// # Errors
    /// There is no plan, or one that cannot be read.
    pub fn planned(folder: &Path) -> Result<Self, ProjectError> {
        let path = folder.join(PLAN);
        let plan = serde_json::from_slice(&fs_err::read(&path)?)
            .map_err(|error| ProjectError::damaged(path, format!("this is no plan of a job: {error}")))?;
        Ok(Self::new(folder.to_owned(), plan))
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn plan(&self) -> &ShardPlan {
        &self.plan
    }

    fn shard_path(&self, shard: usize) -> PathBuf {
        self.folder.join("shards").join(format!("{shard:04}.safetensors"))
    }

    fn marker_path(&self, shard: usize) -> PathBuf {
        self.folder.join("done").join(format!("{shard:04}.json"))
    }

    /// A finished shard whose bytes are those of its marker; anything else has to be computed.
    pub fn finished(&self, shard: usize) -> Option<(ShardMarker, Arrays)> {
        let marker: ShardMarker = serde_json::from_slice(&fs_err::read(self.marker_path(shard)).ok()?).ok()?;
        let path = self.shard_path(shard);
        let bytes = fs_err::read(&path).ok()?;
        if marker.shard != shard || sha256_hex(&bytes) != marker.sha256 {
            return None;
        }
        Some((marker, Arrays::from_bytes(&bytes, &path).ok()?))
    }

    /// Writes a shard, then its marker.
    pub fn finish(&self, shard: usize, arrays: &Arrays, units: u64, seconds: f64) -> Result<ShardMarker, ProjectError> {
        let bytes = arrays.to_bytes()?;
        write_durably(&self.shard_path(shard), &bytes)?;
        let rows = self.plan.shards.get(shard).map_or(0, Vec::len);
        let marker = ShardMarker { shard, sha256: sha256_hex(&bytes), rows, units, seconds };
        write_durably(&self.marker_path(shard), &serde_json::to_vec(&marker).map_err(std::io::Error::from)?)?;
        self.log("finished", Some(&marker))?;
        self.write_state(self.markers())?;
        Ok(marker)
    }

    /// Keeps what shard `shard` hands to the next one, and forgets what those before its predecessor did: a shard whose
    /// marker is not written yet is computed once more from what came before it.
    pub fn carry(&self, shard: usize, arrays: &Arrays) -> Result<(), ProjectError> {
        let place = self.folder.join(CARRIED);
        fs_err::create_dir_all(&place)?;
        write_durably(&carried(&self.folder, shard), &arrays.to_bytes()?)?;
        for entry in fs_err::read_dir(&place)? {
            let path = entry?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<usize>().ok());
            if number.is_some_and(|number| number + 1 < shard) {
                fs_err::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// The newest thing that a shard before `shard` handed on, and that shard's number.
    pub fn carried_before(&self, shard: usize) -> Option<(usize, Arrays)> {
        (0..shard).rev().find_map(|earlier| {
            let path = carried(&self.folder, earlier);
            let bytes = fs_err::read(&path).ok()?;
            Some((earlier, Arrays::from_bytes(&bytes, &path).ok()?))
        })
    }

    /// Number of markers, whatever their shards hold.
    pub fn markers(&self) -> usize {
        (0..self.plan.shards.len()).filter(|shard| self.is_marked(*shard)).count()
    }

    /// Whether a shard has a marker, whatever the shard holds.
    pub fn is_marked(&self, shard: usize) -> bool {
        self.marker_path(shard).exists()
    }

    /// Takes a marker back whose shard is damaged.
    pub fn unmark(&self, shard: usize) -> Result<(), ProjectError> {
        Ok(fs_err::remove_file(self.marker_path(shard))?)
    }

    /// Leaves a worker's order beside the plan.
    pub fn order(&self, work: &Work) -> Result<(), ProjectError> {
        Ok(write_durably(&self.folder.join(WORK), &serde_json::to_vec(work).map_err(std::io::Error::from)?)?)
    }

    /// The order of this job's worker.
    ///
    /// # Errors
    /// There is none, or one that cannot be read.
    pub fn work(&self) -> Result<Work, ProjectError> {
        let path = self.folder.join(WORK);
        let text = fs_err::read(&path)?;
        serde_json::from_slice(&text)
            .map_err(|error| ProjectError::damaged(path, format!("this is no order for a worker: {error}")))
    }

    /// Makes this process the job's only worker.
    ///
    /// # Errors
    /// `Locked` with the worker that is at work.
    pub fn take(&self) -> Result<Lock, ProjectError> {
        Lock::acquire(&self.folder.join(WORKER_LOCK))
    }

    /// The worker that is at work on this job, in whichever process.
    pub fn worker(&self) -> Option<Owner> {
        worker_in(&self.folder)
    }

    /// Where a worker's output goes.
    pub fn printed(&self) -> PathBuf {
        self.folder.join(PRINTED)
    }

    /// The last lines that a worker printed.
    pub fn last_printed(&self, lines: usize) -> String {
        job_state::last_words(&self.printed(), lines)
    }

    /// The last lines of the log in words, oldest first.
    pub fn last_logged(&self, lines: usize) -> Vec<String> {
        job_state::last_lines(&self.folder.join(LOG), lines)
    }

    /// Asks the worker to stop, or takes the wish back.
    pub fn ask_to_stop(&self, stop: bool) -> Result<(), ProjectError> {
        ask_to_stop_in(&self.folder, stop)
    }

    /// Whether somebody asked the worker to stop.
    pub fn is_asked_to_stop(&self) -> bool {
        self.folder.join(STOP).exists()
    }

    /// What the job said of itself last.
    pub fn state(&self) -> Option<JobState> {
        read_state(&self.folder)
    }

    /// Tells whoever follows what this process, the worker, does.
    pub fn tell(&self, worker: WorkerState) -> Result<(), ProjectError> {
        let finished = self.markers();
        let mut held = self.hold_state();
        *held = Some(worker);
        let text = self.state_text(finished, &held)?;
        Ok(durable::replace(&self.folder.join(STATE), &text)?)
    }

    /// A line in the job's log.
    pub fn say(&self, what: &str) -> Result<(), ProjectError> {
        self.log(what, None)
    }

    /// Removes plan and shards once the artefact is in place; log and state are kept.
    pub fn clear(&self) -> Result<(), ProjectError> {
        self.log("merged", None)?;
        self.write_state(self.plan.shards.len())?;
        for place in ["done", "shards", CARRIED] {
            let place = self.folder.join(place);
            // A crash in the middle of an earlier clearing may have taken it already.
            if place.exists() {
                fs_err::remove_dir_all(place)?;
            }
        }
        Ok(fs_err::remove_file(self.folder.join(PLAN))?)
    }

    fn hold_state(&self) -> MutexGuard<'_, Option<WorkerState>> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_text(&self, finished: usize, worker: &Option<WorkerState>) -> Result<Vec<u8>, ProjectError> {
        let state = JobState {
            stage: self.plan.stage.clone(),
            key: self.plan.key.clone(),
            shards: self.plan.shards.len(),
            finished,
            updated: now(),
            worker: worker.clone(),
        };
        Ok(serde_json::to_vec(&state).map_err(std::io::Error::from)?)
    }

    fn write_state(&self, finished: usize) -> Result<(), ProjectError> {
        let held = self.hold_state();
        Ok(write_durably(&self.folder.join(STATE), &self.state_text(finished, &held)?)?)
    }

    fn log(&self, what: &str, marker: Option<&ShardMarker>) -> Result<(), ProjectError> {
        let line = LogLine { time: now(), pid: std::process::id(), what: what.to_owned(), shard: marker.cloned() };
        let line = serde_json::to_string(&line).map_err(std::io::Error::from)?;
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(self.folder.join(LOG))?;
        Ok(file.write_all(format!("{line}\n").as_bytes())?)
    }
}

fn carried(folder: &Path, shard: usize) -> PathBuf {
    folder.join(CARRIED).join(format!("{shard:04}.safetensors"))
}

fn read_plan(folder: &Path) -> Option<ShardPlan> {
    serde_json::from_slice(&fs_err::read(folder.join(PLAN)).ok()?).ok()
}

fn read_state(folder: &Path) -> Option<JobState> {
    serde_json::from_slice(&fs_err::read(folder.join(STATE)).ok()?).ok()
}

fn worker_in(folder: &Path) -> Option<Owner> {
    Lock::holder(&folder.join(WORKER_LOCK))
}

fn ask_to_stop_in(folder: &Path, stop: bool) -> Result<(), ProjectError> {
    let path = folder.join(STOP);
    if stop {
        return Ok(fs_err::write(path, "")?);
    }
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Every job of a stage whose plan is there.
pub fn jobs_of(jobs: &Path, stage: &str) -> Vec<Job> {
    let folders = fs_err::read_dir(jobs).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<Job> =
        folders.filter_map(|folder| Job::planned(&folder).ok()).filter(|job| job.plan.stage == stage).collect();
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    found
}

/// Every job of a project that a worker is at work on: its folder, and the worker.
pub fn workers(jobs: &Path) -> Vec<(PathBuf, Owner)> {
    let folders = fs_err::read_dir(jobs).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = folders.filter_map(|folder| worker_in(&folder).map(|worker| (folder, worker))).collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// Asks the worker of a job to stop.
pub fn stop_worker(folder: &Path) -> Result<(), ProjectError> {
    ask_to_stop_in(folder, true)
}

/// Clears the jobs whose artefact is in place: a crash between the artefact and the clearing leaves their shards.
/// `made` tells by stage and key. A job whose plan cannot be read is not touched.
pub fn clear_merged(jobs: &Path, made: impl Fn(&str, &str) -> bool) -> Result<(), ProjectError> {
    for entry in fs_err::read_dir(jobs)? {
        let folder = entry?.path();
        if worker_in(&folder).is_some() {
            continue;
        }
        durable::sweep(&folder)?;
        if let Some(plan) = read_plan(&folder).filter(|plan| made(&plan.stage, &plan.key)) {
            Job::new(folder, plan).clear()?;
        }
    }
    Ok(())
}

/// Shards finished and shards in all of the job that makes this artefact; none where nothing of it is finished yet, or
/// all of it is merged.
pub fn kept_shards(jobs: &Path, stage: &str, key: &str) -> Option<(usize, usize)> {
    let folder = job_folder(jobs, stage, key);
    let state = read_state(&folder)?;
    let unmerged = state.finished > 0 && state.key == key && folder.join(PLAN).exists();
    unmerged.then_some((state.finished, state.shards))
}

/// Where the job of an artefact lies.
pub fn job_folder(jobs: &Path, stage: &str, key: &str) -> PathBuf {
    jobs.join(format!("{stage}-{}", key.get(..16).unwrap_or(key)))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Array;

    fn columns(value: f32) -> Arrays {
        let mut arrays = Arrays::new();
        arrays.insert("jsd", Array::column(vec![value; 2]));
        arrays
    }

    #[test]
    fn goes_on_after_the_last_whole_shard() {
        let place = tempfile::tempdir().unwrap();
        let plan = ShardPlan::cut("score", "k", &[3, 1, 0, 2, 4], 2);
        assert_eq!(plan.shards, [vec![3, 1], vec![0, 2], vec![4]]);
        let job = Job::open(place.path(), plan.clone()).unwrap();
        assert_eq!(kept_shards(place.path(), "score", "k"), None);
        job.finish(0, &columns(0.5), 10, 1.0).unwrap();
        job.finish(1, &columns(0.25), 10, 1.0).unwrap();
        drop(job);
        assert_eq!(kept_shards(place.path(), "score", "k"), Some((2, 3)));
        assert_eq!(kept_shards(place.path(), "score", "another"), None);

        let again = Job::open(place.path(), plan).unwrap();
        assert_eq!(again.finished(0).unwrap().1, columns(0.5));
        assert!(again.finished(2).is_none());
        // A shard whose bytes are not those of its marker is computed again.
        let path = again.shard_path(1);
        let bytes = fs_err::read(&path).unwrap();
        fs_err::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(again.finished(1).is_none());
        let mut turned = bytes.clone();
        *turned.last_mut().unwrap() ^= 1;
        fs_err::write(&path, &turned).unwrap();
        assert!(again.finished(1).is_none());
        fs_err::write(&path, &bytes).unwrap();
        assert!(again.finished(1).is_some());
        // A shard without its marker was not finished.
        fs_err::remove_file(again.marker_path(0)).unwrap();
        assert!(again.finished(0).is_none());
    }

    #[test]
    fn shards_are_cut_by_rows_and_by_cost() {
        let plan = ShardPlan::cut_by("score", "k", &[5, 1, 9, 2, 3, 4], 3, 6, u64::from);
        assert_eq!(plan.shards, [vec![5, 1], vec![9], vec![2, 3], vec![4]]);
        let plan = ShardPlan::cut_by("score", "k", &[1, 0, 2], 2, u64::MAX, u64::from);
        assert_eq!(plan.shards, [vec![1, 0], vec![2]]);
    }

    #[test]
    fn another_plan_starts_anew() {
        let place = tempfile::tempdir().unwrap();
        let job = Job::open(place.path(), ShardPlan::cut("score", "k", &[0, 1], 1)).unwrap();
        job.finish(0, &columns(0.5), 1, 1.0).unwrap();
        let job = Job::open(place.path(), ShardPlan::cut("score", "k", &[1, 0], 1)).unwrap();
        assert!(job.finished(0).is_none());
    }

    #[test]
    fn cleared_job_keeps_its_log() {
        let place = tempfile::tempdir().unwrap();
        let job = Job::open(place.path(), ShardPlan::cut("score", "k", &[0], 1)).unwrap();
        job.finish(0, &columns(0.5), 1, 1.0).unwrap();
        let folder = job.folder().to_owned();
        job.clear().unwrap();
        assert_eq!(kept_shards(place.path(), "score", "k"), None);
        assert!(folder.join("log.jsonl").exists());
        assert!(!folder.join("shards").exists());
        let state: JobState = serde_json::from_slice(&fs_err::read(folder.join("state.json")).unwrap()).unwrap();
        assert_eq!((state.shards, state.finished), (1, 1));
    }

    #[test]
    fn a_worker_is_alone_and_can_be_followed_and_stopped() {
        let place = tempfile::tempdir().unwrap();
        let plan = ShardPlan::cut("score", "k", &[0, 1], 1);
        let owner = Job::open(place.path(), plan.clone()).unwrap();
        assert!(owner.work().is_err() && owner.worker().is_none() && workers(place.path()).is_empty());
        let work =
            Work { version: "1".to_owned(), recipe: "name = 1".to_owned(), threads: 2, memory: None, details: None };
        owner.order(&work).unwrap();

        let worker = Job::planned(owner.folder()).unwrap();
        assert_eq!((worker.plan(), worker.work().unwrap()), (&plan, work));
        let held = worker.take().unwrap();
        assert!(matches!(worker.take(), Err(ProjectError::Locked { .. })));
        assert_eq!(owner.worker().unwrap().pid, std::process::id());
        assert_eq!(workers(place.path()).len(), 1);
        let told = WorkerState { pid: 7, done: 3, total: 9, ..WorkerState::default() };
        worker.tell(told.clone()).unwrap();
        worker.finish(1, &columns(0.5), 1, 1.0).unwrap();
        let state = owner.state().unwrap();
        assert_eq!((state.finished, state.worker), (1, Some(told)), "a finished shard forgets nothing of the worker");
        assert!(owner.is_marked(1) && !owner.is_marked(0));
        owner.unmark(1).unwrap();
        assert!(!owner.is_marked(1));

        assert!(!worker.is_asked_to_stop());
        stop_worker(owner.folder()).unwrap();
        assert!(worker.is_asked_to_stop());
        owner.ask_to_stop(false).unwrap();
        owner.ask_to_stop(false).unwrap();
        assert!(!worker.is_asked_to_stop());
        drop(held);
        assert!(workers(place.path()).is_empty());
        assert!(owner.last_logged(1)[0].contains("shard 2 finished in 1.0 s"), "{:?}", owner.last_logged(1));
    }

    #[test]
    fn what_a_worker_writes_is_left_alone_when_the_job_is_opened_again() {
        let place = tempfile::tempdir().unwrap();
        let plan = || ShardPlan::cut("score", "k", &[0], 1);
        let job = Job::open(place.path(), plan()).unwrap();
        let half = job.folder().join("shards").join("0000.safetensors.9.partial");
        fs_err::write(&half, "half").unwrap();
        let worker = job.take().unwrap();
        Job::open(place.path(), plan()).unwrap();
        assert!(half.exists());
        drop(worker);
        Job::open(place.path(), plan()).unwrap();
        assert!(!half.exists());
    }

    #[test]
    fn a_job_that_a_crash_kept_from_clearing_is_cleared_later() {
        let place = tempfile::tempdir().unwrap();
        let plan = |key: &str| ShardPlan::cut("score", key, &[0, 1], 1);
        let merged = Job::open(place.path(), plan("merged")).unwrap();
        merged.finish(0, &columns(0.5), 1, 1.0).unwrap();
        fs_err::remove_dir_all(merged.folder().join("done")).unwrap();
        let at_work = Job::open(place.path(), plan("at work")).unwrap();
        at_work.finish(0, &columns(0.5), 1, 1.0).unwrap();
        clear_merged(place.path(), |stage, key| stage == "score" && key == "merged").unwrap();
        assert!(!merged.folder().join("shards").exists() && merged.folder().join("log.jsonl").exists());
        assert!(at_work.finished(0).is_some());
        clear_merged(place.path(), |_, key| key == "merged").unwrap();
    }
}
