//! A search of whole words says what it left out, on stderr: stdout belongs to the command's result.

use paser_engine::Lookup;
use paser_protocol::{Report, RowQuery};

use crate::output::thousands;

/// Tells of the samples that hold the words of a query inside of others only.
pub fn tell_of_inside_words(pool: Lookup<'_>, query: &RowQuery) -> Result<(), Report> {
    let Some(wide) = query.inside_words() else { return Ok(()) };
    let more = pool.inside_words(query)?;
    if more > 0 {
        let written =
            if wide.text == query.text { format!("--where '{}'", wide.filter) } else { format!("'{}'", wide.text) };
        eprintln!(
            "Whole words only: {} more samples hold them inside of other words; {written} finds those, too.",
            thousands(more)
        );
    }
    Ok(())
}
