//! The jobs strip: pause, resume, give up, the fold with the log, closing a project while a job is at work, and a window
//! whose project another program has open.

#![allow(clippy::unwrap_used)]

mod support;

use paser_protocol::{JobView, Request, RunView, Stage, WorkerView};
use support::{Bench, Start, engine::Engine};
use ui::{command::Command, dialogs::Dialog, state::Screen, transport::Incoming};

fn job(lasting: bool) -> JobView {
    JobView {
        stage: Stage::Score,
        what: "scoring".into(),
        done: 10,
        total: 40,
        unit: "tokens".into(),
        seconds: 2.0,
        eta_seconds: None,
        cancelling: false,
        lasting,
        worker: Some(WorkerView { pid: 4720, what: "scoring".into(), ..WorkerView::default() }),
    }
}

fn at_work(lasting: bool) -> Bench {
    let engine = Engine::new().edit(|project| project.job = Some(job(lasting)));
    Start { engine, ..Start::default() }.open().demo()
}

fn closed(bench: &Bench) -> Vec<bool> {
    let requests = bench.requests();
    requests
        .iter()
        .filter(|request| matches!(request, Request::CloseProject { .. }))
        .map(|request| *request == Request::CloseProject { go_on: true })
        .collect()
}

#[test]
fn closing_a_project_asks_what_becomes_of_its_job() {
    for (button, sent) in [("Go on in the background", vec![true]), ("Stop the job", vec![false]), ("Stay", vec![])] {
        let mut bench = at_work(true);
        bench.harness.state_mut().state.run(Command::CloseProject);
        bench.harness.run();
        assert_eq!(bench.state().dialog, Some(Dialog::CloseProject));
        bench.click(&format!("dialog:{button}"));
        assert_eq!(closed(&bench), sent, "{button}");
        let screen = if sent.is_empty() { Screen::Explore } else { Screen::Welcome };
        assert_eq!((bench.state().screen, bench.state().dialog.is_none()), (screen, true), "{button}");
    }
    let mut bench = at_work(true);
    bench.harness.state_mut().state.run(Command::CloseProject);
    bench.harness.run();
    bench.key(egui::Modifiers::NONE, egui::Key::Enter);
    assert_eq!(closed(&bench), [true], "Enter takes the default");
}

#[test]
fn a_job_that_cannot_go_on_is_stopped_and_no_job_asks_nothing() {
    let mut bench = at_work(false);
    assert!(Command::PauseJob.enabled(bench.state()).is_err());
    bench.harness.state_mut().state.run(Command::CloseProject);
    bench.harness.run();
    assert_eq!(closed(&bench), [false]);
    let mut bench = Start::default().open().demo();
    bench.harness.state_mut().state.run(Command::CloseProject);
    bench.harness.run();
    assert_eq!((closed(&bench), bench.state().screen), (vec![true], Screen::Welcome));
}

#[test]
fn a_job_is_paused_and_a_paused_run_resumed_or_given_up() {
    let mut bench = at_work(true);
    bench.click("PauseJob");
    assert_eq!(bench.count(|request| *request == Request::Pause), 1);
    assert!(Command::PauseJob.enabled(bench.state()).is_err(), "it is stopping already");

    let paused = || {
        Engine::new().edit(|project| {
            project.run = Some(RunView { until: Stage::Select, paused: true, at_work: false, worker: None });
        })
    };
    let mut bench = Start { engine: paused(), ..Start::default() }.open().demo();
    bench.click("ResumeJob");
    assert_eq!(bench.count(|request| *request == Request::Resume), 1);
    let mut bench = Start { engine: paused(), ..Start::default() }.open().demo();
    bench.click("GiveUp");
    assert_eq!(bench.count(|request| *request == Request::Cancel), 1);
    // Between two stages of a run at work there is nothing to resume.
    let between = Engine::new().edit(|project| {
        project.run = Some(RunView { until: Stage::Select, paused: false, at_work: true, worker: None });
    });
    let bench = Start { engine: between, ..Start::default() }.open().demo();
    assert!(!bench.state().rects.contains_key("ResumeJob") && Command::ResumeJob.enabled(bench.state()).is_err());
}

#[test]
fn the_log_of_a_job_unfolds_and_folds() {
    let mut bench = at_work(true);
    assert!(!bench.state().rects.contains_key("job details"));
    bench.click("JobDetails");
    assert!(bench.state().rects.contains_key("job details"));
    bench.click("JobDetails");
    assert!(!bench.state().rects.contains_key("job details"));
}

#[test]
fn a_window_of_another_programs_project_takes_it_over_once_that_is_gone() {
    let mut bench = Start { attached: true, ..Start::default() }.open().demo();
    assert!(Command::OpenHere.enabled(bench.state()).is_err() && !bench.state().rects.contains_key("OpenHere"));
    bench.incoming(Incoming::Connected(false));
    bench.harness.run();
    bench.click("OpenHere");
    assert!(bench.shared.borrow().turned);
    // A window of its own project has nowhere else to turn to.
    let mut bench = Start::default().open().demo();
    bench.incoming(Incoming::Connected(false));
    bench.harness.run();
    assert!(!bench.state().rects.contains_key("OpenHere"));
}
