//! Files for trainers: into a folder, and as one zip for a browser.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io::{Cursor, Read as _},
    sync::atomic::AtomicBool,
};

use common::{World, run};
use paser_engine::{Studio, StudioOptions};
use paser_protocol::{ExportFormat, ExportedView, Part, Reply, Request, SelectionPlan, Stage};

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).unwrap().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_download_holds_what_a_folder_would_and_leaves_nothing_behind() {
    let world = World::new(300);
    let session = world.project("p");
    run(&session, Stage::Select).unwrap();
    let never = AtomicBool::new(false);
    session.select_as(&SelectionPlan::default(), "my run", &never).unwrap();
    let written = session.export(Some("my run"), &Part::default(), ExportFormat::AlpacaJson, "there", &never).unwrap();
    drop(session);
    let exports = world.path("p").join("exports");
    // What a process that died in a download has left.
    fs_err::create_dir_all(exports.join(".download-1-0")).unwrap();

    let studio = Studio::new(StudioOptions { state_dir: Some(world.path("state")), threads: 1, ..Default::default() });
    studio.handle(Request::OpenProject { path: world.path("p").to_string_lossy().into_owned() }).unwrap();
    let export = || {
        let selection = Some("my run".to_owned());
        let request =
            Request::Export { selection, part: Part::default(), format: ExportFormat::AlpacaJson, path: String::new() };
        match studio.handle(request).unwrap() {
            Reply::Exported(ExportedView { paths, samples, download }) => {
                assert!(paths.is_empty() && samples == written.samples);
                download.unwrap()
            }
            other => panic!("{other:?}"),
        }
    };
    // Several at once, as several tabs ask.
    let downloads: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|_| scope.spawn(export)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(names(&exports), ["there"]);
    for download in downloads {
        assert_eq!(download.name, "my-run-alpaca-json.zip");
        let bytes = studio.column(&download.key).unwrap();
        let mut zip = zip::ZipArchive::new(Cursor::new(&*bytes)).unwrap();
        assert_eq!(zip.len(), 3);
        for path in &written.paths {
            let name = std::path::Path::new(path).file_name().unwrap().to_string_lossy();
            let mut content = Vec::new();
            zip.by_name(&name).unwrap().read_to_end(&mut content).unwrap();
            assert_eq!(content, fs_err::read(path).unwrap(), "{name}");
        }
        assert!(studio.column(&download.key).is_err(), "it is fetched once");
    }
}
