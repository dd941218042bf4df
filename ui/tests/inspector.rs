//! One sample, whole: what the inspector shows of it, what it asks for, and what a click does.

#![allow(clippy::unwrap_used)]

mod support;

use paser_protocol::{EditKind, EditSource, Request};
use support::{Bench, Start, engine::Engine};
use ui::state::Brush;

/// As high as the whole inspector.
const TALL: [f32; 2] = [1280.0, 1500.0];

/// The demo with a sample inspected.
fn inspecting(engine: Engine) -> Bench {
    let mut bench = Start { engine, size: TALL, ..Start::default() }.open().demo();
    bench.click("bar:6");
    bench.click("row:3");
    bench
}

/// Requests of a kind, in order.
fn asked<T>(bench: &Bench, which: impl Fn(Request) -> Option<T>) -> Vec<T> {
    bench.requests().into_iter().filter_map(which).collect()
}

fn neighbours_of(request: Request) -> Option<u32> {
    match request {
        Request::Neighbours { row, count: 50 } => Some(row),
        _ => None,
    }
}

#[test]
fn neighbours_are_listed_hovered_everywhere_inspected_and_brushed() {
    let mut bench = inspecting(Engine::new());
    let row = bench.state().focus.inspected.unwrap();
    assert_eq!(asked(&bench, neighbours_of), [row]);
    let listed: Vec<u32> =
        bench.state().rects.keys().filter_map(|name| name.strip_prefix("near:")?.parse().ok()).collect();
    assert_eq!(listed.len(), 8);
    let nearest = *listed.iter().find(|near| **near > row).unwrap();
    bench.hover(&format!("near:{nearest}"));
    assert_eq!(bench.state().focus.hovered, Some(nearest));

    bench.click("brush nearest");
    let Brush::Rows(rows) = bench.state().focus.brush().clone() else { panic!("nothing is brushed") };
    assert_eq!(rows.len(), 50);
    assert!(rows.windows(2).all(|pair| pair[0] < pair[1]) && !rows.contains(&row));
    let of = bench.state().data.samples[&row].id.clone();
    assert_eq!(bench.state().focus.source(), Some(&EditSource::Neighbours { of: of.clone() }));
    bench.harness.state_mut().state.run(ui::command::Command::BrushExclude);
    bench.harness.run();
    let edits = asked(&bench, |request| match request {
        Request::Curate { edit } => Some(edit),
        _ => None,
    });
    assert_eq!(edits[0].source, Some(EditSource::Neighbours { of }), "the journal says where they came from");
    assert_eq!(edits[0].what, EditKind::Exclude { rows: rows.to_vec() });

    bench.click(&format!("near:{nearest}"));
    assert_eq!(bench.state().focus.inspected, Some(nearest));
    assert_eq!(asked(&bench, neighbours_of), [row, nearest]);
}

#[test]
fn neighbours_that_come_late_or_not_at_all() {
    let engine = Engine::new();
    let handle = engine.handle();
    handle.refuse(Some(|request| matches!(request, Request::Neighbours { .. })));
    let mut bench = inspecting(engine);
    bench.rect("neighbours again");
    assert!(bench.state().toasts.texts().is_empty(), "it stands where the list would be");
    handle.refuse(None);
    bench.click("neighbours again");
    bench.rect("brush nearest");

    bench.shared.borrow_mut().hold = Some(|request| matches!(request, Request::Neighbours { .. }));
    bench.click("row:1");
    let first = bench.state().focus.inspected.unwrap();
    assert!(!bench.state().rects.contains_key("brush nearest"), "those of the sample before are gone");
    bench.click("row:2");
    let second = bench.state().focus.inspected.unwrap();
    bench.let_go();
    assert_eq!(asked(&bench, neighbours_of)[2..], [first, second]);
    assert!(bench.state().rects.contains_key(&format!("near:{}", neighbour_listed(&bench, second))));
}

/// The nearest sample that the engine of the tests names.
fn neighbour_listed(bench: &Bench, row: u32) -> u32 {
    let pool = support::fixture::pool();
    let rows = bench.state().samples() as u32;
    let same = |other: &u32| pool.cluster[*other as usize] == pool.cluster[row as usize];
    (1..rows).map(|step| (row + step) % rows).find(same).unwrap()
}
