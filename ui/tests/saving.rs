//! Views as files: pictures of the right size that are not blank, vectors that carry the words of the screen, tables in
//! its order.

#![allow(clippy::unwrap_used)]

mod support;

use egui::{Key, Modifiers};
use paser_protocol::Request;
use support::{Bench, Start};
use ui::{
    command::Command,
    picture::{Format, View},
    state::Brush,
};

fn explored() -> Bench {
    Start::default().open().demo()
}

/// Everything of Explore unfolded.
fn unfolded() -> Bench {
    let mut bench = explored();
    bench.click("bar:6");
    bench.click("Ledger");
    bench.harness.run();
    bench
}

fn compared() -> Bench {
    let mut bench = explored();
    bench.key(Modifiers::NONE, Key::Num2);
    for _ in 0..2 {
        bench.click("AddStrategy");
        bench.click("dialog:Add");
    }
    bench
}

/// Saves a view and returns the file's name and contents.
fn save(bench: &mut Bench, view: View, format: Format) -> (String, Vec<u8>) {
    let before = bench.shared.borrow().downloads.len();
    bench.harness.state_mut().state.save_view = Some((view, format));
    bench.harness.run();
    let files = bench.shared.borrow().downloads.clone();
    assert_eq!(files.len(), before + 1, "{view:?} as {format:?}: {:?}", bench.state().toasts.texts());
    let (name, bytes) = files.into_iter().next_back().unwrap();
    // Left for a person to look at.
    let scale = if format == Format::Fine { "fine-" } else { "" };
    #[expect(clippy::disallowed_methods, reason = "the window's tests know no fs-err")]
    std::fs::write(format!("{}/{scale}{name}", env!("CARGO_TARGET_TMPDIR")), &bytes).unwrap();
    (name, bytes)
}

fn text(bench: &mut Bench, view: View, format: Format) -> String {
    String::from_utf8(save(bench, view, format).1).unwrap()
}

fn pixels(bytes: &[u8]) -> image::RgbaImage {
    image::load_from_memory_with_format(bytes, image::ImageFormat::Png).unwrap().to_rgba8()
}

fn colours(picture: &image::RgbaImage) -> usize {
    picture.pixels().map(|pixel| pixel.0).collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn a_picture_has_the_views_size_at_both_scales_and_shows_it() {
    let mut bench = unfolded();
    for view in [View::Map, View::Damage, View::Table, View::Ledger] {
        let body = bench.rect(view.place()).size();
        let (name, bytes) = save(&mut bench, view, Format::Png);
        assert!(name.ends_with(".png") && name.starts_with("demo"), "{name}");
        let one = pixels(&bytes);
        let two = pixels(&save(&mut bench, view, Format::Fine).1);
        let wide = (body.x.round() as u32, body.y.round() as u32 + 46);
        assert!(one.width().abs_diff(wide.0) <= 1 && one.height().abs_diff(wide.1) <= 1, "{view:?}: {wide:?}");
        assert!(two.width().abs_diff(2 * one.width()) <= 1 && two.height().abs_diff(2 * one.height()) <= 1);
        assert!(colours(&one) > 60 && colours(&two) > 60, "{view:?} is nearly blank");
        let head = String::from_utf8_lossy(&bytes);
        assert!(head.contains("samples") && head.contains("Description"), "the file does not say what it is of");
    }
}

#[test]
fn the_map_is_drawn_as_on_screen() {
    let mut bench = explored();
    let body = bench.rect(View::Map.place());
    let screen = bench.harness.render().unwrap();
    let saved = pixels(&save(&mut bench, View::Map, Format::Png).1);
    let (left, top) = (body.min.x.round() as u32, body.min.y.round() as u32);
    let mut different = 0;
    for (x, y, pixel) in saved.enumerate_pixels().filter(|(_, y, _)| *y >= 46) {
        let there = screen.get_pixel(left + x, top + y - 46);
        different += usize::from(pixel.0.iter().zip(there.0).any(|(a, b)| a.abs_diff(b) > 8));
    }
    let all = (saved.width() * (saved.height() - 46)) as usize;
    assert!(different * 200 < all, "{different} of {all} pixels differ from the screen");
}

#[test]
fn a_map_as_vectors_has_a_circle_a_point() {
    let mut bench = explored();
    let svg = text(&mut bench, View::Map, Format::Svg);
    let points = svg.split("class=\"points\"").nth(1).unwrap().split("</g>").next().unwrap();
    assert_eq!(points.matches("<circle").count(), 3_000);
    assert!(!svg.contains("<image"));
    assert!(svg.contains(">facts of towns</text>"), "names of clusters are texts");
    assert!(svg.contains("n = 3,000 samples in 12 clusters"));
}

#[test]
fn bars_as_vectors_and_as_a_table_say_what_the_screen_says() {
    let mut bench = explored();
    let svg = text(&mut bench, View::Damage, Format::Svg);
    let csv = text(&mut bench, View::Damage, Format::Csv);
    let clusters = ui_sorted(&bench);
    for (name, ..) in &clusters {
        assert!(svg.contains(&format!(">{name}</text>")), "no {name} in the vectors");
    }
    assert!(svg.contains("95 %"));
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0][..5], ["cluster", "name", "samples", "scored", "damage_nats"]);
    let names: Vec<&str> = rows[1..].iter().map(|row| row[1]).collect();
    assert_eq!(names, clusters.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), "in the order of the screen");
    for (row, (_, damage)) in rows[1..].iter().zip(&clusters) {
        assert_eq!(row[4].parse::<f64>().unwrap(), *damage);
    }
    assert!(rows[1..].iter().all(|row| row.len() > 8 && row[8] == bench.state().project.as_ref().unwrap().name));
}

/// Clusters as the bars stand: worst first.
fn ui_sorted(bench: &Bench) -> Vec<(String, f64)> {
    let mut clusters: Vec<_> = bench.state().clusters().iter().map(|c| (c.name.clone(), c.cds.unwrap())).collect();
    clusters.sort_by(|a, b| b.1.total_cmp(&a.1));
    clusters
}

#[test]
fn every_view_can_be_saved_in_every_format() {
    let mut bench = unfolded();
    bench.click("tab:curves");
    for view in [View::Map, View::Curves, View::Table, View::Ledger] {
        assert!(view.is_shown(bench.state()), "{view:?}");
        for format in Format::ALL {
            assert!(!save(&mut bench, view, format).1.is_empty());
        }
    }
    let svg = text(&mut bench, View::Ledger, Format::Svg);
    assert!(svg.contains(">quota</text>") && svg.contains("selection: paser"), "heads are texts");
    let ledger = text(&mut bench, View::Ledger, Format::Csv);
    let taken: u64 = ledger.lines().skip(1).map(|line| line.split(',').nth(9).unwrap().parse::<u64>().unwrap()).sum();
    let shown: u64 = bench.state().build.selection.as_ref().unwrap().ledger.iter().map(|row| row.taken).sum();
    assert_eq!(taken, shown);
    let curves = text(&mut bench, View::Curves, Format::Csv);
    assert!(curves.contains("stability over K,4,") && curves.contains("eigenvalue,1,"), "{curves}");

    let mut bench = compared();
    for lower in ["overlap", "budgets", "reasons"] {
        bench.click(&format!("lower:{lower}"));
        let view = match lower {
            "overlap" => View::Overlap,
            "budgets" => View::Budgets,
            _ => View::Reasons,
        };
        for format in Format::ALL {
            assert!(!save(&mut bench, view, format).1.is_empty());
        }
    }
    let budgets = text(&mut bench, View::Budgets, Format::Csv);
    assert!(budgets.lines().count() == 11 && budgets.contains("random 1"), "{budgets}");
    for view in [View::Maps, View::Shares] {
        for format in Format::ALL {
            assert!(!save(&mut bench, view, format).1.is_empty());
        }
    }
    let maps = text(&mut bench, View::Maps, Format::Svg);
    assert_eq!(maps.matches("class=\"points\"").count(), 3, "A, B, and both");
}

#[test]
fn samples_come_from_the_engine_by_the_query_of_the_table() {
    let mut bench = explored();
    bench.click("bar:6");
    let (name, bytes) = save(&mut bench, View::Table, Format::Csv);
    assert!(name.ends_with("samples.csv"), "{name}");
    assert_eq!(bytes, b"PK");
    let asked = bench.requests().into_iter().rev().find_map(|request| match request {
        Request::Table { query, columns, path, .. } => Some((query, columns, path)),
        _ => None,
    });
    let (query, columns, path) = asked.unwrap();
    assert_eq!((query.clusters, path.as_str()), (vec![6], ""));
    assert_eq!(query.sort, bench.state().table.sort);
    assert!(columns.contains(&"jsd".to_owned()) && columns.contains(&"instruction".to_owned()), "{columns:?}");
    assert_eq!(*bench.state().focus.brush(), Brush::Clusters([6].into()));
}

#[test]
fn by_the_menu_of_a_pane_and_by_the_palette() {
    let mut bench = explored();
    bench.click("save:damage per cluster");
    bench.click("save:Svg");
    assert!(bench.shared.borrow().downloads.last().unwrap().0.ends_with("damage-per-cluster.svg"));
    bench.harness.state_mut().state.run(Command::Palette);
    bench.harness.run();
    bench.harness.event(egui::Event::Text("save map as vec".to_owned()));
    bench.harness.run();
    bench.key(Modifiers::NONE, Key::Enter);
    assert!(bench.shared.borrow().downloads.last().unwrap().0.ends_with("map.svg"));
    assert!(bench.state().toasts.texts().iter().any(|text| text.starts_with("Saved ")));
}
