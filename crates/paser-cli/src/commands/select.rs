//! `paser select`: a named, frozen selection with the ledger that explains it; and how one is removed.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use paser_engine::{RunOptions, Session};
use paser_protocol::{
    Budget, ConceptRule, Damage, Guard, Refill, Reply, Report, Request, SelectionPlan, SelectionView, Strategy, Weight,
};
use serde_json::{Map, Value, json};

use crate::exit::usage;
use crate::interrupt;
use crate::output::{Output, Table, figure, thousands};
use crate::owned::{self, Opened, unexpected};
use crate::project::Follower;

#[derive(Args, Debug)]
#[command(
    override_usage = "paser select [OPTIONS] [DIR] --strategy <NAME> --budget <BUDGET> --name <NAME>\n       \
                      paser select [OPTIONS] [DIR] --discard <NAME>",
    after_help = "Example:\n  paser select my-recovery --strategy paser --budget 20% --name paser-20\n  \
                  paser select my-recovery --discard paser-20"
)]
pub struct SelectArgs {
    /// Folder of the project; the current one if left out.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// How samples are chosen.
    #[arg(long, value_name = "NAME", value_parser = strategies(), required_unless_present = "discard")]
    strategy: Option<Strategy>,
    /// 20% of the samples, 1000 samples, or 2M-tokens.
    #[arg(long, value_name = "BUDGET", required_unless_present = "discard")]
    budget: Option<Budget>,
    /// The pruned model whose damage decides, where the project has several: refused unless the project works with it.
    #[arg(long, value_name = "MODEL")]
    pruned: Option<String>,
    /// For strategies that draw.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Noise guard: none or tukey.
    #[arg(long, value_name = "GUARD", value_parser = ["none", "tukey"], default_value = "none")]
    guard: String,
    /// The concept graph: on or off.
    #[arg(long, value_name = "SWITCH", value_parser = ["on", "off"], default_value = "on")]
    concepts: String,
    /// What fills a quota whose consistent candidates ran out; none is the paper.
    #[arg(long, value_name = "RULE", value_parser = ["fewest-conflicts", "none"], default_value = "fewest-conflicts")]
    refill: String,
    /// What a cluster's share of the budget follows; cds is the paper.
    #[arg(long, value_name = "WEIGHT", value_parser = ["cds", "cds_x_size", "uniform"], default_value = "cds")]
    weight: String,
    /// Which damage decides: whole or after-first-token.
    #[arg(long, value_name = "DAMAGE", value_parser = ["whole", "after-first-token"], default_value = "whole")]
    damage: String,
    /// Name of the selection.
    #[arg(long, value_name = "NAME", required_unless_present = "discard")]
    name: Option<String>,
    /// Remove the frozen selection of this name instead of making one.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["strategy", "budget", "name", "pruned"])]
    discard: Option<String>,
}

/// The names of all strategies, for help and completion.
fn strategies() -> impl TypedValueParser<Value = Strategy> {
    PossibleValuesParser::new(Strategy::ALL.map(Strategy::name)).try_map(|name| name.parse::<Strategy>())
}

pub fn run(args: &SelectArgs, threads: usize, output: Output) -> Result<(), Report> {
    if let Some(name) = &args.discard {
        return discard(&owned::open(&args.dir)?, name, output);
    }
    let (Some(strategy), Some(budget), Some(name)) = (args.strategy, args.budget, &args.name) else {
        return Err(usage("--strategy, --budget and --name go together", "Give all three."));
    };
    let opened = owned::open(&args.dir)?;
    let (pool, view) = match &opened {
        Opened::Own(session) => {
            session.read_noise();
            (session.lookup(), session.view())
        }
        Opened::Owned(owned) => (owned.reader.lookup(), owned.project()?),
    };
    if let Some(pruned) = args.pruned.as_deref().filter(|pruned| !pool.is_pruned_model(pruned)) {
        let dir = args.dir.display();
        return Err(match pool.other_pruned_model(pruned) {
            Some(other) => usage(
                format!("the project works with {:?} now, not with {pruned:?}", view.pruned),
                format!("`paser pruned {dir} use {other}` changes that; what is scored is not scored again."),
            ),
            None => usage(
                format!("the project has no pruned model {pruned:?}"),
                format!("It works with {:?}; `paser pruned {dir} list` shows all of them.", view.pruned),
            ),
        });
    }
    let plan = SelectionPlan {
        strategy,
        budget,
        guard: if args.guard == "tukey" { Guard::Tukey } else { Guard::None },
        concepts: ConceptRule { on: args.concepts == "on", ..Default::default() },
        refill: if args.refill == "none" { Refill::None } else { Refill::FewestConflicts },
        weight: match args.weight.as_str() {
            "cds_x_size" => Weight::CdsXSize,
            "uniform" => Weight::Uniform,
            _ => Weight::Cds,
        },
        damage: if args.damage == "whole" { Damage::Whole } else { Damage::AfterFirstToken },
        seed: args.seed,
    };
    let selection = match &opened {
        Opened::Own(session) => {
            prepare(session, strategy, threads)?;
            session.select_as(&plan, name, interrupt::flag())?
        }
        // An owner that has the window open computes what a strategy reads there, with its progress.
        Opened::Owned(owned) => match owned.remote.ask(&Request::FreezePlan { plan, name: name.clone() })? {
            Reply::Selection(selection) => *selection,
            other => return Err(unexpected(&other)),
        },
    };
    show(&selection, output);
    output.line(&object(&selection, &view.pruned));
    Ok(())
}

/// Computes what the strategy reads, where that takes a pass of its own: what it costs is said first, and progress goes to
/// people only.
fn prepare(session: &Session, strategy: Strategy, threads: usize) -> Result<(), Report> {
    if let Some(cost) = session.pass_cost(strategy) {
        eprintln!("{strategy}: {cost}");
    }
    let follower = Follower::new(Output::new(false));
    let options = RunOptions { threads, ..RunOptions::default() };
    session.prepare(strategy, &options, &|event| follower.hear(&event), interrupt::flag())
}

fn discard(opened: &Opened, name: &str, output: Output) -> Result<(), Report> {
    let by_recipe = match opened {
        Opened::Own(session) => {
            let by_recipe = session.frozen_named(name)?.by_recipe;
            session.discard(name)?;
            by_recipe
        }
        Opened::Owned(owned) => {
            let by_recipe = owned.reader.lookup().frozen_named(name)?.by_recipe;
            owned.remote.ask(&Request::Discard { name: name.to_owned() })?;
            by_recipe
        }
    };
    output.say(format!("the selection {name} is gone"));
    if by_recipe {
        output.say("It stands in recipe.toml: the next run makes it again, unless it is removed there too.");
    }
    output.line(&json!({ "discarded": name, "in_recipe": by_recipe }));
    Ok(())
}

fn show(selection: &SelectionView, output: Output) {
    output.say(format!(
        "{}: {} by {}, budget {} {}; {} samples, {} tokens, responses of {:.1} tokens on average",
        selection.name.as_deref().unwrap_or_default(),
        selection.plan.strategy,
        selection.plan.budget,
        thousands(selection.budget),
        selection.unit,
        thousands(selection.selected),
        thousands(selection.tokens),
        selection.mean_response_tokens,
    ));
    let mut remarks = Vec::new();
    if let Some(rate) = selection.acceptance_rate {
        remarks.push(format!("the concept graph accepted {:.1} % of the candidates", rate * 100.0));
    }
    remarks.push(format!("{:.1} % lie above the noise fence", selection.above_fence * 100.0));
    if let Some(noise) = selection.noise {
        remarks.push(format!("{} planted noise samples", thousands(noise)));
    }
    output.say(remarks.join("; "));
    for note in &selection.notes {
        output.say(note);
    }
    let mut table = Table::new(&[
        "cluster",
        "<name",
        "samples",
        "damage",
        "raw quota",
        "cap",
        "quota",
        "pinned",
        "taken",
        "refilled",
        "short",
        "rejected",
        "excluded",
        "guarded",
        "unscorable",
        "ruled out",
        "tokens",
        "<remark",
    ]);
    for row in &selection.ledger {
        let shortfall = row.shortfall_reason.and_then(|reason| serde_json::to_value(reason).ok());
        let remark = match (shortfall, row.exhausted) {
            (Some(Value::String(reason)), _) => reason.replace('-', " "),
            (_, true) => "exhausted".to_owned(),
            _ => String::new(),
        };
        let counts = [
            row.cap,
            row.quota,
            row.pinned,
            row.taken,
            row.refilled,
            row.shortfall,
            row.rejected,
            row.excluded,
            row.guarded,
            row.unscorable,
            row.ruled_out,
            row.tokens,
        ];
        let first = [
            row.cluster.to_string(),
            row.name.clone(),
            thousands(row.samples),
            figure(row.cds, 4),
            figure(row.quota_raw, 1),
        ];
        table.row(first.into_iter().chain(counts.map(thousands)).chain([remark]));
    }
    output.table(&table);
    let reasons: Vec<String> =
        selection.reasons.iter().map(|(word, count)| format!("{} {word}", thousands(*count))).collect();
    output.say(reasons.join(", "));
}

fn object(selection: &SelectionView, pruned: &str) -> Value {
    let reasons: Map<String, Value> =
        selection.reasons.iter().map(|(word, count)| (word.clone(), json!(count))).collect();
    let mut object = json!({
        "selection": selection.name,
        "strategy": selection.plan.strategy,
        "pruned": pruned,
        "seed": selection.plan.seed,
        "unit": selection.unit,
        "budget": selection.budget,
        "selected": selection.selected,
        "acceptance_rate": selection.acceptance_rate,
        "mean_response_tokens": selection.mean_response_tokens,
        "above_fence": selection.above_fence,
        "tokens": selection.tokens,
        "notes": selection.notes,
        "ledger": selection.ledger,
        "reasons": reasons,
    });
    if let Some(noise) = selection.noise {
        object["noise"] = json!(noise);
    }
    object
}
