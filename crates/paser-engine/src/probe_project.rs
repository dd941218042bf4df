//! A small part of a pool as a project of its own: where does it hurt, before the whole pool is paid for? The part is the
//! pool's first samples in content-hash order, which is a random sample of it, whatever the order of its file.

use std::{io::Write as _, path::Path};

use paser_data::{Pool, ReadOptions, hash_order, read_pool_files};
use paser_project::{
    Folder,
    recipe::{HoldOutRule, Recipe, RolesRecipe},
};
use paser_protocol::Silent;

use crate::{
    pool_source,
    stages::import,
    trouble::{Outcome, Told, usage},
};

/// Fewer samples say little about a dozen clusters.
const LEAST: usize = 300;
/// The part's file in the project's folder.
const FILE: &str = "probe.jsonl";

/// Writes `share` of the recipe's pool, at least [`LEAST`] samples, into the folder, and makes it the recipe's pool.
///
/// # Errors
/// A share outside of 0 to 1; a pool that cannot be read, or a file that cannot be written.
pub(crate) fn take_part(recipe: &mut Recipe, folder: &Folder, share: f64) -> Outcome<()> {
    if !(share > 0.0 && share < 1.0) {
        return Err(usage(format!("A probe takes a share of the pool between 0 and 1, not {share}."), ""));
    }
    let options: ReadOptions = import::read_options(recipe);
    let found = pool_source::obtain(folder, &recipe.pool.path, &Silent)?;
    let pool = read_pool_files(&found.place, &found.files, &options, &Silent).map_err(Told::told)?;
    let order: Vec<u32> = hash_order(&pool.samples).into_iter().filter(|row| !pool.held_out[*row as usize]).collect();
    let count = ((share * pool.samples.len() as f64).ceil() as usize).max(LEAST).min(order.len());
    let path = folder.root().join(FILE);
    write(&pool, &order[..count], &path).map_err(Told::told)?;
    recipe.pool.path = FILE.to_owned();
    recipe.pool.hold_out = HoldOutRule::None;
    let named = |name: &str| name.to_owned();
    let [instruction, input, output, id] = ["instruction", "input", "output", "id"].map(named);
    recipe.roles = RolesRecipe { instruction, input, output, id };
    recipe.name = format!("{}: probe of {count} of {} samples", folder.name(), pool.samples.len());
    Ok(())
}

fn write(pool: &Pool, rows: &[u32], path: &Path) -> std::io::Result<()> {
    let mut file = std::io::BufWriter::new(fs_err::File::create(path)?);
    for &row in rows {
        let sample = &pool.samples[row as usize];
        let line = serde_json::json!({
            "id": sample.id, "instruction": sample.instruction, "input": sample.input, "output": sample.output,
        });
        writeln!(file, "{line}")?;
    }
    file.into_inner()?.sync_all()
}
