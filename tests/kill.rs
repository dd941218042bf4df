//! A run that is killed at any moment goes on and ends with the same bytes. `PASER_KILLS` says how many kills (3).
#![allow(clippy::unwrap_used)]

use std::{env, thread, time::Instant};

use anyhow::{Context as _, Result, ensure};
use paser_tests::{Bench, finished_shards, selections};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

#[test]
fn a_killed_run_ends_with_the_same_selections() -> Result<()> {
    let kills: u32 = env::var("PASER_KILLS").map_or(Ok(3), |text| text.parse())?;
    let bench = Bench::new()?;
    let whole = bench.project("whole")?;
    let started = Instant::now();
    bench.run(&whole)?;
    let duration = started.elapsed();
    let expected = selections(&whole)?;
    ensure!(!expected.is_empty(), "the run froze no selection");

    let mut random = StdRng::seed_from_u64(u64::from(kills));
    for kill in 0..kills {
        let folder = bench.project(&format!("kill-{kill}"))?;
        let moment = duration.mul_f64(random.random_range(0.0..1.0));
        let mut child = bench.command(&folder)?.spawn()?;
        thread::sleep(moment);
        child.kill()?;
        let reached = if child.wait()?.success() { "had ended" } else { "killed" };
        let finished = finished_shards(&folder)?;
        bench.run(&folder).with_context(|| format!("the run after kill {kill} at {moment:.1?}"))?;
        let same = selections(&folder)? == expected;
        println!(
            "kill {kill}: {reached} at {moment:.1?} of {duration:.1?}, {finished} shards done, {}",
            if same { "same selections" } else { "OTHER SELECTIONS" }
        );
        ensure!(same, "killed at {moment:.1?}, the run ended with other selections");
        fs_err::remove_dir_all(folder)?;
    }
    Ok(())
}
