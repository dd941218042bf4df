//! One sample, whole: what the inspector shows of it, what it asks for, and what a click does.

#![allow(clippy::unwrap_used)]

mod support;

use egui_kittest::kittest::Queryable as _;
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
    assert_eq!(asked(&bench, neighbours_of)[2..], [first, second]);
    let held = bench.shared.borrow_mut().let_go();
    for (place, answer) in held.into_iter().enumerate() {
        answer();
        bench.harness.run();
        assert_eq!(bench.state().rects.contains_key("brush nearest"), place == 1, "only its own are shown");
    }
}

#[test]
fn both_models_continue_a_prompt_on_request() {
    let mut bench = inspecting(Engine::new());
    let row = bench.state().focus.inspected.unwrap();
    let continues = |bench: &Bench| bench.count(|request| matches!(request, Request::Continue { .. }));
    let stops = |bench: &Bench| bench.count(|request| *request == Request::StopContinuing);
    assert_eq!(continues(&bench), 0, "it costs: only on request");
    bench.harness.get_by_label("about 4 s");
    bench.shared.borrow_mut().hold = Some(|request| matches!(request, Request::Continue { .. }));
    bench.click("continue");
    assert_eq!(bench.requests().last(), Some(&Request::Continue { row, tokens: 64 }));
    bench.harness.get_by_label("reading the prompt");
    bench.send(paser_protocol::Event::Continuing { row, done: 12, tokens: 64 });
    bench.harness.run();
    bench.harness.get_by_label("token 12 of 64");
    bench.let_go();
    bench.rect("continuations");
    bench.harness.get_by_label_contains("dense writes: Three lanterns");
    bench.harness.get_by_label_contains("and would go on");
    assert_eq!(stops(&bench), 0);

    // Stopped by hand; its late answer is nobody's.
    bench.click("row:1");
    bench.shared.borrow_mut().hold = Some(|request| matches!(request, Request::Continue { .. }));
    bench.click("continue");
    bench.click("stop continuing");
    assert_eq!(stops(&bench), 1);
    bench.let_go();
    bench.rect("continue");

    // Left for another sample, and by folding the inspector.
    for (times, leave) in [(2, "row:2"), (3, "ToggleInspector")] {
        bench.shared.borrow_mut().hold = Some(|request| matches!(request, Request::Continue { .. }));
        bench.click("continue");
        bench.click(leave);
        assert_eq!(stops(&bench), times, "{leave}");
        bench.let_go();
    }
    assert_eq!(continues(&bench), 4);
    assert!(bench.state().toasts.texts().is_empty(), "{:?}", bench.state().toasts.texts());
}

#[test]
fn what_would_take_minutes_says_so_and_has_no_button() {
    let bench = inspecting(Engine::new().continuing_in(510.0));
    bench.harness.get_by_label_contains("about 9 min on this machine");
    assert!(!bench.state().rects.contains_key("continue"));
}

/// The place of a letter in a text on screen.
fn in_text(bench: &Bench, label: &str, share: f32) -> egui::Pos2 {
    let rect = bench.harness.get_by_label(label).rect();
    egui::pos2(rect.left() + rect.width() * share, rect.top() + 8.0)
}

/// What was handed to the clipboard in the last frame.
fn copied(bench: &mut Bench) -> Option<String> {
    bench.harness.event(egui::Event::Copy);
    bench.harness.step();
    let commands = bench.harness.output().platform_output.commands.clone();
    commands.into_iter().find_map(|command| match command {
        egui::OutputCommand::CopyText(text) => Some(text),
        _ => None,
    })
}

#[test]
fn texts_are_selected_by_the_pointer_and_copied() {
    let mut bench = inspecting(Engine::new());
    let row = bench.state().focus.inspected.unwrap();
    let sample = bench.state().data.samples[&row].clone();
    assert_eq!(copied(&mut bench), None);
    let response = format!("Response: {}", sample.output);
    for (label, whole) in [(sample.instruction.as_str(), &sample.instruction), (&response, &sample.output)] {
        let (from, to) = (in_text(&bench, label, 0.0), in_text(&bench, label, 0.4));
        bench.harness.hover_at(from);
        bench.harness.run();
        bench.press(from, true);
        bench.harness.hover_at(to);
        bench.harness.step();
        bench.press(to, false);
        let text = copied(&mut bench).unwrap();
        assert!(text.len() > 5 && whole.starts_with(&text), "{text:?} of {whole:?}");
    }
    assert_eq!(bench.state().focus.inspected, Some(row));
}

#[test]
fn the_first_token_can_be_left_out_of_shading_and_sum() {
    let mut bench = inspecting(Engine::new());
    let row = bench.state().focus.inspected.unwrap();
    let tokens = bench.state().data.tokens[&row].clone().unwrap();
    let sum = |skipped: usize| tokens.tokens[skipped..].iter().map(|token| f64::from(token.jsd)).sum::<f64>();
    assert!(sum(0) - sum(1) > 0.1);
    bench.harness.get_by_label(&format!("sum {:.2} nats", sum(0)));
    bench.click("after first token");
    bench.harness.get_by_label(&format!("sum {:.2} nats", sum(1)));
    bench.click("row:1");
    bench.harness.get_by_label(&format!("sum {:.2} nats", sum(1)));
    bench.click("first token counts");
    bench.harness.get_by_label(&format!("sum {:.2} nats", sum(0)));
}

#[test]
fn the_frame_of_a_token_covers_no_neighbour() {
    let bench = inspecting(Engine::new());
    let (token, accent) = (bench.rect("token"), ui::theme::Look::of(true).accent);
    let frames: Vec<egui::Rect> = bench
        .harness
        .output()
        .shapes
        .iter()
        .filter_map(|clipped| match &clipped.shape {
            egui::Shape::Rect(rect) if rect.stroke.color == accent && rect.rect.intersects(token) => {
                Some(rect.visual_bounding_rect())
            }
            _ => None,
        })
        .collect();
    assert!(!frames.is_empty());
    for frame in frames {
        assert!(frame.left() >= token.left() - 0.5 && frame.right() <= token.right() + 0.5, "{frame} of {token}");
    }
}
