//! `paser`: everything the window does, by command. Parses, starts the engine, prints; owns the exit code.

mod arrays;
mod commands;
mod exit;
mod inside_words;
mod interrupt;
mod output;
mod owned;
mod progress;
mod project;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use commands::later::LaterArgs;
use commands::{
    caches, check, cluster, compare, curate, demo, encode, eval, export, inspect, later, new, prune, pruned, recover,
    run, score, select, sensitivity, serve, status, table, verdict, worker,
};
use output::Output;
use paser_protocol::Report;

/// Heading of the options that every command has.
const EVERYWHERE: &str = "Options of every command";

const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  failed
    2  wrong usage or recipe
    3  a pool or model that cannot be used
    4  the machine says no: disk, memory, permission, network
   75  come back: locked by a living process, or stopped half-way
  130  Ctrl-C";

const EXAMPLE: &str = "\
Example:
  paser demo
  paser new my-recovery --pool pool.jsonl --dense llama --pruned llama-wanda-2-4
  paser run my-recovery";

fn after_help() -> String {
    let variables: Vec<String> =
        paser_hub::VARIABLES.iter().map(|variable| format!("  {:<14}  {}", variable.name, variable.meaning)).collect();
    format!("{EXIT_CODES}\n\nEnvironment, for models from the hub:\n{}\n\n{EXAMPLE}", variables.join("\n"))
}

/// Chooses the training data that brings a pruned language model back.
#[derive(Parser, Debug)]
#[command(name = "paser", version, after_help = after_help(), arg_required_else_help = true, disable_help_subcommand = true)]
struct CommandLine {
    /// JSON lines on stdout, and nothing else.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// Processor threads; all of them if left out.
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Opens the embedded demo project, or computes it anew.
    Demo(demo::DemoArgs),
    /// Makes a project from a pool and two models.
    New(new::NewArgs),
    /// Brings a project up to date: only what changed.
    Run(run::RunArgs),
    /// Tells where a project stands, and what is stale and why.
    Status(status::StatusArgs),
    /// Looks for near-duplicates and benchmark questions in the pool.
    Check(check::CheckArgs),
    /// Looks into a model, or tells two apart.
    Inspect(inspect::InspectArgs),
    /// Makes a pruned model.
    Prune(prune::PruneArgs),
    /// Turns a pool into sentence vectors.
    Encode(encode::EncodeArgs),
    /// Turns vectors into clusters and a map.
    Cluster(cluster::ClusterArgs),
    /// Measures how far a pruned model has moved, sample by sample.
    Score(score::ScoreArgs),
    /// Edits the samples and clusters of a project, and shows its journal.
    Curate(curate::CurateArgs),
    /// Shows the pruned models of a project, and says which one it works with.
    Pruned(pruned::PrunedArgs),
    /// Makes a named, frozen selection.
    Select(select::SelectArgs),
    /// Tells how far clusters and selection hang on single settings.
    Sensitivity(sensitivity::SensitivityArgs),
    /// Compares selections.
    Compare(compare::CompareArgs),
    /// Writes a selection as files for trainers.
    Export(export::ExportArgs),
    /// Writes samples with their ids, numbers and status as CSV.
    Table(table::TableArgs),
    /// Lists what lies on disk and can be had again, and clears it.
    Caches(caches::CachesArgs),
    /// Serves the window to a browser on this machine.
    Serve(serve::ServeArgs),
    /// Trains arms on their selections, and shows how much comes back.
    Recover(recover::RecoverArgs),
    /// Measures a model: perplexity by a named protocol, log-likelihoods.
    Eval(eval::EvalArgs),
    /// Tells whether the difference of two arms is real.
    Verdict(verdict::VerdictArgs),
    #[command(hide = true)]
    Devices(LaterArgs),
    #[command(hide = true)]
    Plan(LaterArgs),
    /// Computes the unfinished parts of a job; a run starts it by itself.
    #[command(hide = true)]
    Worker(worker::WorkerArgs),
    #[command(hide = true)]
    Merge(LaterArgs),
}

fn main() -> ExitCode {
    let line = CommandLine::parse();
    let output = Output::new(line.json);
    match start(&line).and_then(|()| dispatch(&line, output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(report) => {
            output.failure(&report);
            ExitCode::from(report.failure.exit_code())
        }
    }
}

fn start(line: &CommandLine) -> Result<(), Report> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("PASER_LOG").unwrap_or_else(|_| "warn".into()))
        .with_writer(|| paser_engine::crash::Log)
        .with_ansi(output::wants_colour(&std::io::stderr()))
        .init();
    paser_engine::crash::install("command", paser_engine::state_folder());
    if let Some(threads) = line.threads {
        rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads)).build_global().map_err(|error| {
            Report::new(paser_protocol::Failure::Machine, format!("{threads} threads: {error}"), "")
        })?;
    }
    interrupt::listen()
}

fn dispatch(line: &CommandLine, output: Output) -> Result<(), Report> {
    let threads = line.threads.map_or(0, usize::from);
    match &line.command {
        Command::Demo(args) => demo::run(args, threads, output),
        Command::New(args) => new::run(args, output),
        Command::Run(args) => run::run(args, threads, output),
        Command::Status(args) => status::run(args, output),
        Command::Check(args) => check::run(args, threads, output),
        Command::Inspect(args) => inspect::run(args, output),
        Command::Prune(args) => prune::run(args, output),
        Command::Encode(args) => encode::run(args, output),
        Command::Cluster(args) => cluster::run(args, output),
        Command::Score(args) => score::run(args, output),
        Command::Curate(args) => curate::run(args, output),
        Command::Pruned(args) => pruned::run(args, threads, output),
        Command::Select(args) => select::run(args, threads, output),
        Command::Sensitivity(args) => sensitivity::run(args, threads, output),
        Command::Compare(args) => compare::run(args, output),
        Command::Export(args) => export::run(args, output),
        Command::Table(args) => table::run(args, output),
        Command::Caches(args) => caches::run(args, output),
        Command::Serve(args) => serve::run(args, threads, output),
        Command::Recover(args) => recover::run(args, threads, output),
        Command::Eval(args) => eval::run(args, threads, output),
        Command::Verdict(args) => verdict::run(args, output),
        Command::Devices(_) => Err(later::refuse("devices")),
        Command::Plan(_) => Err(later::refuse("plan")),
        Command::Worker(args) => worker::run(args),
        Command::Merge(_) => Err(later::refuse("merge")),
    }
}
