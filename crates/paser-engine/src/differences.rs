//! The difference of frozen selections as a table: one line per sample that some of them hold and others do not.

use std::{collections::HashMap, fmt::Write as _, path::Path};

use paser_project::write_durably;
use paser_protocol::{ExportedView, ReasonCode, csv::cell};

use crate::{
    export::Archived,
    selection::{another_pool, is_of},
    session::Session,
    trouble::{Outcome, Told, usage},
};

impl Session {
    /// Writes the differences of these selections to `path`, as CSV; a relative path starts in `exports/`.
    ///
    /// # Errors
    /// Fewer than two names, unknown ones, selections of another pool; a place that cannot be written.
    pub fn write_differences(&self, names: &[String], path: &Path) -> Outcome<ExportedView> {
        let (text, samples) = self.differences_as_csv(names)?;
        let path = self.destination(path);
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder).map_err(Told::told)?;
        }
        write_durably(&path, text.as_bytes()).map_err(Told::told)?;
        Ok(ExportedView { paths: vec![path.to_string_lossy().into_owned()], samples, download: None })
    }

    /// The same for a browser that saves it.
    ///
    /// # Errors
    /// As [`Self::write_differences`].
    pub fn differences(&self, names: &[String]) -> Outcome<Archived> {
        let (text, samples) = self.differences_as_csv(names)?;
        Ok(Archived { name: "differences.csv".to_owned(), bytes: text.into_bytes(), samples })
    }

    /// Columns: id, line, cluster, damage, response tokens, and per selection the status word. In pool order.
    fn differences_as_csv(&self, names: &[String]) -> Outcome<(String, u64)> {
        if names.len() < 2 {
            return Err(usage("A difference needs two selections.", "Name them: paser compare A B --diff FILE."));
        }
        let samples = self.samples()?;
        let loaded = self.loaded();
        let mut reasons = Vec::new();
        for name in names {
            let frozen = self.frozen_named(name)?;
            if !is_of(&frozen.inputs, &samples) {
                return Err(another_pool(name));
            }
            reasons.push(frozen.reasons);
        }
        let code = |place: usize, row: usize| reasons[place].get(row).copied().and_then(ReasonCode::from_byte);
        let cluster_names: HashMap<u32, &str> = match loaded.names() {
            Some(names) => (0_u32..).zip(names.iter().map(String::as_str)).collect(),
            None => HashMap::new(),
        };
        let mut text = "id,line,cluster,damage_nats,response_tokens".to_owned();
        for name in names {
            text.push(',');
            text.push_str(&cell(name));
        }
        text.push('\n');
        let mut count = 0;
        for row in 0..samples.len() {
            let taken = |place: usize| code(place, row).is_some_and(ReasonCode::is_taken);
            if (1..names.len()).all(|place| taken(place) == taken(0)) {
                continue;
            }
            count += 1;
            let cluster = loaded.clusters().map(|clusters| clusters.labels[row]);
            let cluster = cluster.and_then(|cluster| cluster_names.get(&cluster)).copied().unwrap_or_default();
            let score = loaded.scores.as_ref().and_then(|scores| scores.rows[row].as_ref());
            let damage = score.map(|score| format!("{:.6}", score.jsd)).unwrap_or_default();
            let tokens = score.map(|score| score.response_tokens.to_string()).unwrap_or_default();
            // Writing to a string cannot fail.
            let _ =
                write!(text, "{},{},{},{damage},{tokens}", cell(&samples.ids[row]), samples.lines[row], cell(cluster));
            for place in 0..names.len() {
                text.push(',');
                text.push_str(code(place, row).map_or("", ReasonCode::word));
            }
            text.push('\n');
        }
        Ok((text, count))
    }
}
