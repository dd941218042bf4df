//! `paser recover`: arms are added, trained and shown.

use std::path::PathBuf;

use clap::Args;
use paser_engine::{Program, Reader, RunOptions, Session};
use paser_protocol::{
    ArmData, ArmPlan, ArmState, Equal, ExportedView, Measure, RecoveryView, Reply, Report, Request, Stage, Trainer,
    WeightsFormat,
};
use serde_json::json;

use super::run::follow_owner;
use crate::exit::{OrTell, usage};
use crate::interrupt;
use crate::output::{Output, Table, duration, thousands};
use crate::owned::{self, Opened, Owned, unexpected};
use crate::project;

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  paser recover my-recovery --add paser-20 --add random-20\n  paser recover my-recovery --sweep\n  paser recover my-recovery"
)]
pub struct RecoverArgs {
    /// Folder of the project; the current one if left out.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Add an arm that is trained on this frozen selection, and train nothing; may be given several times.
    #[arg(long, value_name = "SELECTION", group = "what")]
    add: Vec<String>,
    /// Seeds of the arms that are added.
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_values_t = [1, 2, 3], requires = "add")]
    seeds: Vec<u64>,
    /// What the arms that are added have as much of as the others, instead of the recipe's word.
    #[arg(long, value_name = "AMOUNT", value_parser = equal, requires = "add")]
    equal: Option<Equal>,
    /// Take an arm out of the recipe.
    #[arg(long, value_name = "ARM", group = "what")]
    remove: Option<String>,
    /// Train this arm only; may be given several times.
    #[arg(long, value_name = "ARM", group = "what")]
    arm: Vec<String>,
    /// Try three learning rates on the random arm, and write the best into the recipe.
    #[arg(long, group = "what")]
    sweep: bool,
    /// Add and train a short arm for every cluster, which shows what data heals what.
    #[arg(long, group = "what")]
    pilots: bool,
    /// Write a trained seed of this arm to --out, in --format.
    #[arg(long, value_name = "ARM", group = "what", requires = "out")]
    write: Option<String>,
    /// peft (the additions alone) or merged (the whole model).
    #[arg(long, value_name = "FORMAT", default_value = "peft", value_parser = format)]
    format: WeightsFormat,
    /// Write this arm's data, configuration and command line for --trainer to --out.
    #[arg(long, value_name = "ARM", group = "what", requires = "out")]
    hand_out: Option<String>,
    /// axolotl, llama-factory, trl or llm-pruner.
    #[arg(long, value_name = "TRAINER", default_value = "axolotl", value_parser = trainer)]
    trainer: Trainer,
    /// The seed that is written or handed out.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// A new folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Read the log of another trainer: its output folder or its trainer_state.json.
    #[arg(long, value_name = "PATH", group = "what", requires = "name")]
    read: Option<PathBuf>,
    /// What the run that is read is called.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Train nothing: show what is there.
    #[arg(long, group = "what")]
    show: bool,
}

fn equal(text: &str) -> Result<Equal, String> {
    text.parse()
}

fn format(text: &str) -> Result<WeightsFormat, String> {
    text.parse()
}

fn trainer(text: &str) -> Result<Trainer, String> {
    text.parse()
}

/// What is asked for besides training, as a request; none where it is to be trained or arms are changed.
fn request(args: &RecoverArgs) -> Result<Option<Request>, Report> {
    let absolute =
        |path: &PathBuf| Ok::<_, Report>(std::path::absolute(path).or_tell()?.to_string_lossy().into_owned());
    let out = || args.out.as_ref().map(absolute).transpose().map(Option::unwrap_or_default);
    Ok(if let Some(arm) = &args.write {
        let (arm, seed, format) = (arm.clone(), args.seed, args.format);
        Some(Request::WriteArm { arm, seed, format, path: out()? })
    } else if let Some(arm) = &args.hand_out {
        let (arm, seed, trainer) = (arm.clone(), args.seed, args.trainer);
        Some(Request::HandOut { arm, seed, trainer, path: out()? })
    } else if let Some(path) = &args.read {
        Some(Request::ReadRun { path: absolute(path)?, arm: args.name.clone().unwrap_or_default() })
    } else {
        None
    })
}

fn written(view: &ExportedView, output: Output) {
    output.say(format!("written: {}", view.paths.join(", ")));
    output.line(&json!({ "event": "written", "written": view }));
}

pub fn run(args: &RecoverArgs, threads: usize, output: Output) -> Result<(), Report> {
    if args.show {
        let view = Reader::open(&args.dir)?.recovery()?;
        show(&view, output);
        return Ok(());
    }
    let view = match owned::open(&args.dir)? {
        Opened::Own(session) => here(&session, args, threads, output)?,
        Opened::Owned(owned) => by_owner(&owned, args, output)?,
    };
    show(&view, output);
    Ok(())
}

fn arms(args: &RecoverArgs) -> Vec<ArmPlan> {
    let arm = |name: &String| ArmPlan {
        name: name.clone(),
        data: ArmData::Selection { name: name.clone() },
        seeds: args.seeds.clone(),
        equal: args.equal,
        learning_rate: None,
        steps: None,
    };
    args.add.iter().map(arm).collect()
}

fn here(session: &Session, args: &RecoverArgs, threads: usize, output: Output) -> Result<RecoveryView, Report> {
    let options = |arms| Ok::<_, Report>(RunOptions { threads, memory: None, worker: Some(Program::this()?), arms });
    match request(args)? {
        Some(Request::WriteArm { arm, seed, format, path }) => {
            let (view, notice) = session.write_arm(&arm, seed, format, &path)?;
            written(&view, output);
            notice.into_iter().for_each(|text| output.say(text));
            return session.recovery_view();
        }
        Some(Request::HandOut { arm, seed, trainer, path }) => {
            written(&session.hand_out(&arm, seed, trainer, &path)?, output);
            return session.recovery_view();
        }
        Some(Request::ReadRun { path, arm }) => {
            session.read_foreign_run(&path, &arm)?;
            return session.recovery_view();
        }
        _ => {}
    }
    if !args.add.is_empty() {
        session.add_arms(&arms(args))?;
    } else if let Some(name) = &args.remove {
        session.remove_arm(name)?;
    } else if args.sweep {
        let follower = project::Follower::new(output);
        session.sweep_rates(&options(Vec::new())?, &|event| follower.hear(&event), interrupt::flag())?;
    } else {
        let chosen = if args.pilots { session.add_pilots()? } else { args.arm.clone() };
        project::run(session, Stage::Recover, &options(chosen)?, output)?;
    }
    session.recovery_view()
}

fn by_owner(owned: &Owned, args: &RecoverArgs, output: Output) -> Result<RecoveryView, Report> {
    let remote = &owned.remote;
    if let Some(request) = request(args)? {
        if let Reply::Exported(view) = remote.ask(&request)? {
            written(&view, output);
        }
    } else if !args.add.is_empty() {
        remote.ask(&Request::AddArms { arms: arms(args) })?;
    } else if let Some(name) = &args.remove {
        remote.ask(&Request::RemoveArm { name: name.clone() })?;
    } else if args.sweep {
        return Err(usage(
            "The project is open in another program, which has the rates tried.",
            "Use the window's menu of the recovery, or close it first.",
        ));
    } else {
        let request =
            if args.pilots { Request::TrainPilots } else { Request::Train { arms: args.arm.clone(), memory: None } };
        remote.ask(&request)?;
        follow_owner(owned, output)?;
    }
    match remote.ask(&Request::Recovery)? {
        Reply::Recovery(view) => Ok(*view),
        other => Err(unexpected(&other)),
    }
}

/// `1.148 ± 0.006`
pub fn measure(measure: Option<Measure>, places: usize) -> String {
    measure.map_or_else(String::new, |found| {
        let half = 0.5 * (found.high - found.low);
        if half > 0.0 {
            format!("{:.places$} ± {half:.places$}", found.value)
        } else {
            format!("{:.places$}", found.value)
        }
    })
}

fn state(view: &RecoveryView, arm: usize) -> String {
    let runs = &view.arms[arm].runs;
    let count = |of: fn(&ArmState) -> bool| runs.iter().filter(|run| of(&run.state)).count();
    let done = count(|state| *state == ArmState::Done);
    let diverged = count(|state| matches!(state, ArmState::Diverged { .. }));
    let mut words = format!("{done} of {} seeds", runs.len());
    if diverged > 0 {
        words.push_str(&format!(", {diverged} diverged"));
    }
    if let Some(run) = runs.iter().find(|run| matches!(run.state, ArmState::Running | ArmState::Stopped)) {
        words.push_str(&format!(", step {} of {}", run.step, run.steps));
    }
    words
}

fn show(view: &RecoveryView, output: Output) {
    if let Some(blocked) = &view.blocked {
        output.say(blocked.to_string());
    }
    let mut table =
        Table::new(&["<arm", "<data", "<trained", "samples", "scoring", "training", "held-out loss", "answers"]);
    for (at, arm) in view.arms.iter().enumerate() {
        let last = |metric: usize| arm.last.get(metric).and_then(|groups| groups.first()).copied().flatten();
        table.row([
            arm.name.clone(),
            arm.what.clone(),
            state(view, at),
            thousands(arm.samples),
            duration(arm.scoring_seconds),
            duration(arm.training_seconds),
            measure(last(0), 4),
            measure(last(2), 3),
        ]);
    }
    for (name, values) in [("(pruned)", &view.pruned), ("(dense)", &view.dense)] {
        let of = |metric: usize| values.get(metric).and_then(|groups| groups.first()).copied().flatten();
        if !view.arms.is_empty() && !values.is_empty() {
            table.row([
                name.to_owned(),
                String::new(),
                String::new(),
                String::new(),
                String::new(),
                String::new(),
                measure(of(0), 4),
                measure(of(2), 3),
            ]);
        }
    }
    output.table(&table);
    if view.arms.is_empty() {
        output.say("There is no arm yet: `paser recover --add SELECTION` adds one.");
    }
    output.line(&json!({ "event": "recovery", "recovery": view }));
}
