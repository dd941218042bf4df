//! `paser curate`: the window's edits of the pool, one journal line each, and the journal.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use paser_engine::{Lookup, Reader};
use paser_project::Entry;
use paser_protocol::{
    Budget, CurationView, Edit, EditKind, EditSource, JournalEntryView, Reply, Report, Request, RowQuery,
};

use crate::exit::usage;
use crate::inside_words::tell_of_inside_words;
use crate::interrupt;
use crate::output::{Output, Table, date, thousands};
use crate::owned::{self, Opened, Owned, unexpected};

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  paser curate my-recovery exclude --where 'text ~ \"*SQL*\" and jsd > 0.2' --reason \"wrong answers\""
)]
pub struct CurateArgs {
    /// Folder of the project; the current one if left out.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    #[command(subcommand)]
    edit: EditCommand,
}

#[derive(Subcommand, Debug)]
enum EditCommand {
    /// Samples that every selection takes.
    #[command(after_help = "Example:\n  paser curate my-recovery pin 17 line:23 --reason \"a good example\"")]
    Pin(Named),
    /// Samples that no selection takes.
    #[command(after_help = "Example:\n  paser curate my-recovery exclude 17 line:23 --reason \"wrong answer\"")]
    Exclude(Named),
    /// Samples that are neither pinned nor excluded any more.
    #[command(after_help = "Example:\n  paser curate my-recovery release 17")]
    Release(Named),
    /// Adds a tag to samples; selections do not change by it.
    #[command(after_help = "Example:\n  paser curate my-recovery tag sql --where 'text ~ \"select\"'")]
    Tag(Tagged),
    /// Takes a tag off samples.
    #[command(after_help = "Example:\n  paser curate my-recovery untag sql 17")]
    Untag(Tagged),
    /// Samples that the window leaves out of sight; selections do not change by it.
    #[command(after_help = "Example:\n  paser curate my-recovery hide --where 'response_tokens <= 2'")]
    Hide(Named),
    /// Hidden samples that come back into sight.
    #[command(after_help = "Example:\n  paser curate my-recovery show --where hidden")]
    Show(Named),
    /// Gives a cluster another name.
    #[command(after_help = "Example:\n  paser curate my-recovery rename 3 code")]
    Rename {
        /// Its number, or a part of its name that no other has.
        cluster: String,
        /// The new name; "": back to the one made of the cluster's concepts.
        name: String,
        #[command(flatten)]
        why: Why,
    },
    /// Makes two or more clusters one.
    #[command(after_help = "Example:\n  paser curate my-recovery merge 3 python")]
    Merge {
        /// Numbers, or parts of names that no other has.
        #[arg(value_name = "CLUSTER", required = true, num_args = 2..)]
        clusters: Vec<String>,
        #[command(flatten)]
        why: Why,
    },
    /// Splits a cluster by where its samples lie.
    #[command(after_help = "Example:\n  paser curate my-recovery split code 3")]
    Split {
        /// Its number, or a part of its name that no other has.
        cluster: String,
        /// How many parts, 2 to 12.
        #[arg(default_value_t = 2)]
        parts: u32,
        #[command(flatten)]
        why: Why,
    },
    /// Sets the quota of a cluster.
    #[command(after_help = "Example:\n  paser curate my-recovery quota code 200")]
    Quota {
        /// Its number, or a part of its name that no other has.
        cluster: String,
        /// Samples (200), tokens (50k-tokens) or auto: by the budget's rule.
        quota: String,
        #[command(flatten)]
        why: Why,
    },
    /// Multiplies the weight of a cluster.
    #[command(after_help = "Example:\n  paser curate my-recovery emphasis code 2 --reason \"code counts double\"")]
    Emphasis {
        /// Its number, or a part of its name that no other has.
        cluster: String,
        /// 0 to 100; 1 is none.
        factor: f64,
        #[command(flatten)]
        why: Why,
    },
    /// Takes the last edit back.
    #[command(after_help = "Example:\n  paser curate my-recovery undo")]
    Undo,
    /// Makes the last undone edit again.
    #[command(after_help = "Example:\n  paser curate my-recovery redo")]
    Redo,
    /// Takes one edit back, wherever it stands in the journal.
    #[command(after_help = "Example:\n  paser curate my-recovery revert 12")]
    Revert {
        /// Its number in the journal.
        entry: u64,
    },
    /// Shows every edit, also while the project is open in a window.
    #[command(after_help = "Example:\n  paser curate my-recovery journal")]
    Journal,
}

#[derive(Args, Debug)]
struct Named {
    /// Ids of samples.
    #[arg(value_name = "ID", required_unless_present_any = ["filter", "near"], conflicts_with_all = ["filter", "near"])]
    ids: Vec<String>,
    /// All samples that a filter fits, such as: jsd > 0.2 and text ~ "*sql*" (stars: also inside of words)
    #[arg(long = "where", value_name = "FILTER", conflicts_with = "near")]
    filter: Option<String>,
    /// The samples most like this one; itself is none of them.
    #[arg(long, value_name = "ID")]
    near: Option<String>,
    /// How many of them.
    #[arg(long, value_name = "N", conflicts_with_all = ["ids", "filter"], default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    #[command(flatten)]
    why: Why,
}

#[derive(Args, Debug)]
struct Tagged {
    /// At most 64 characters, no comma.
    tag: String,
    #[command(flatten)]
    named: Named,
}

#[derive(Args, Debug)]
struct Why {
    /// Why; stands in the journal.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub fn run(args: &CurateArgs, output: Output) -> Result<(), Report> {
    if matches!(args.edit, EditCommand::Journal) {
        show(&Reader::open(&args.dir)?.journal(), output);
        return Ok(());
    }
    let (entry, words, curation) = match owned::open(&args.dir)? {
        Opened::Own(session) => {
            let entry = match &args.edit {
                EditCommand::Undo => session.undo()?,
                EditCommand::Redo => session.redo()?,
                EditCommand::Revert { entry } => session.revert(*entry)?,
                edit => {
                    let near = |row, count| session.rows_near(row, count, interrupt::flag());
                    session.curate(&edit_of(session.lookup(), &near, edit)?)?
                }
            };
            let words = session.lookup().words_of(&entry);
            (entry, words, session.view().curation)
        }
        Opened::Owned(owned) => by_owner(&owned, args)?,
    };
    output.say(format!(
        "journal entry {}: {}; now {} pinned and {} excluded",
        entry.entry,
        words,
        thousands(curation.pinned.len() as u64),
        thousands(curation.excluded.len() as u64)
    ));
    output.line(&entry);
    Ok(())
}

/// The edit by the process that owns the project. An edit is on disk before it is answered: its line is read there.
fn by_owner(owned: &Owned, args: &CurateArgs) -> Result<(Entry, String, CurationView), Report> {
    let near = |row, count| match owned.remote.ask(&Request::Neighbours { row, count })? {
        Reply::Neighbours(found) => Ok(found.into_iter().map(|neighbour| neighbour.row).collect()),
        other => Err(unexpected(&other)),
    };
    let request = match &args.edit {
        EditCommand::Undo => Request::Undo,
        EditCommand::Redo => Request::Redo,
        EditCommand::Revert { entry } => Request::Revert { entry: *entry },
        edit => Request::Curate { edit: edit_of(owned.reader.lookup(), &near, edit)? },
    };
    let curation = owned.curate(&request)?;
    let reader = Reader::open(&args.dir)?;
    let entry = reader.lookup().entry(curation.entries);
    let entry = entry.ok_or_else(|| usage("the edit was made and undone by somebody else since", ""))?;
    let words = reader.lookup().words_of(&entry);
    Ok((entry, words, curation))
}

/// The samples most like a row, so many of them.
type Near<'a> = &'a dyn Fn(u32, u32) -> Result<Vec<u32>, Report>;

/// What a command asks for, in numbers of this pool.
fn edit_of(pool: Lookup<'_>, near: Near<'_>, command: &EditCommand) -> Result<Edit, Report> {
    let of_samples = |named: &Named, what: &dyn Fn(Vec<u32>) -> EditKind| {
        let (rows, source) = match (&named.filter, &named.near) {
            (Some(filter), _) => {
                let rows = pool.rows_where(filter)?;
                tell_of_inside_words(pool, &RowQuery { filter: filter.clone(), ..RowQuery::default() })?;
                (rows, Some(EditSource::Filter { text: filter.clone() }))
            }
            (None, Some(of)) => {
                let row = pool.rows_of_ids(std::slice::from_ref(of))?;
                let rows = near(row[0], named.count)?;
                (rows, Some(EditSource::Neighbours { of: of.clone() }))
            }
            (None, None) => (pool.rows_of_ids(&named.ids)?, None),
        };
        if rows.is_empty() {
            let what = if named.near.is_some() { "the pool has no other sample" } else { "no sample fits the filter" };
            return Err(usage(what, "Nothing was changed."));
        }
        Ok(Edit { source, ..Edit::new(what(rows), &named.why.reason) })
    };
    let tagged = |tagged: &Tagged, what: &dyn Fn(Vec<u32>, String) -> EditKind| {
        of_samples(&tagged.named, &|rows| what(rows, tagged.tag.clone()))
    };
    let (what, why) = match command {
        EditCommand::Pin(named) => return of_samples(named, &|rows| EditKind::Pin { rows }),
        EditCommand::Exclude(named) => return of_samples(named, &|rows| EditKind::Exclude { rows }),
        EditCommand::Release(named) => return of_samples(named, &|rows| EditKind::Release { rows }),
        EditCommand::Hide(named) => return of_samples(named, &|rows| EditKind::Hide { rows }),
        EditCommand::Show(named) => return of_samples(named, &|rows| EditKind::Show { rows }),
        EditCommand::Tag(named) => return tagged(named, &|rows, tag| EditKind::Tag { rows, tag }),
        EditCommand::Untag(named) => return tagged(named, &|rows, tag| EditKind::Untag { rows, tag }),
        EditCommand::Rename { cluster, name, why } => {
            (EditKind::RenameCluster { cluster: pool.cluster_named(cluster)?, name: name.clone() }, why)
        }
        EditCommand::Merge { clusters, why } => {
            let clusters = clusters.iter().map(|cluster| pool.cluster_named(cluster)).collect::<Result<_, _>>()?;
            (EditKind::MergeClusters { clusters }, why)
        }
        EditCommand::Split { cluster, parts, why } => {
            (EditKind::SplitCluster { cluster: pool.cluster_named(cluster)?, parts: *parts }, why)
        }
        EditCommand::Quota { cluster, quota, why } => (quota_of(pool.cluster_named(cluster)?, quota)?, why),
        EditCommand::Emphasis { cluster, factor, why } => {
            (EditKind::SetEmphasis { cluster: pool.cluster_named(cluster)?, factor: *factor }, why)
        }
        EditCommand::Undo | EditCommand::Redo | EditCommand::Revert { .. } | EditCommand::Journal => {
            return Err(usage("this command makes no edit", ""));
        }
    };
    Ok(Edit::new(what, &why.reason))
}

fn quota_of(cluster: u32, typed: &str) -> Result<EditKind, Report> {
    let set = |budget: Budget, quota: u64| EditKind::SetQuota { cluster, quota: Some(quota), unit: budget.unit() };
    if typed == "auto" {
        return Ok(EditKind::SetQuota { cluster, quota: None, unit: paser_protocol::Unit::Samples });
    }
    match typed.parse() {
        Ok(budget @ (Budget::Samples(quota) | Budget::Tokens(quota))) => Ok(set(budget, quota)),
        _ => Err(usage(format!("`{typed}` is no quota"), "Write samples (200), tokens (50k-tokens) or auto.")),
    }
}

fn show(entries: &[JournalEntryView], output: Output) {
    let mut table = Table::new(&["entry", "<time (UTC)", "<what", "<state", "<reason", "<from", "<remark"]);
    for entry in entries {
        let lost = format!("{} not in the pool now", thousands(entry.lost));
        let remark = match &entry.trouble {
            Some(why) => format!("no longer applies: {why}"),
            None if entry.lost > 0 => lost,
            None => String::new(),
        };
        table.row([
            entry.entry.to_string(),
            date(entry.time),
            entry.what.clone(),
            entry.state.word().to_owned(),
            entry.reason.clone(),
            entry.from.clone(),
            remark,
        ]);
        output.line(entry);
    }
    output.table(&table);
    if entries.is_empty() {
        output.say("The journal is empty.");
    }
}
