//! Where panes stand: edges and heads that are dragged, tabs, folding, undo, reset, and what of it is saved.

#![allow(clippy::unwrap_used)]

mod support;

use egui::{Key, Modifiers, Pos2, Rect, Vec2};
use support::{Bench, Start};
use ui::{
    command::Command,
    layout::{Layouts, Node, Pane},
    picture::{Format, View},
    saved::Saved,
    state::Screen,
};

/// Two selections side by side.
fn compared() -> Bench {
    let mut bench = Start::default().open().demo();
    bench.key(Modifiers::NONE, Key::Num2);
    for _ in 0..2 {
        bench.click("AddStrategy");
        bench.click("dialog:Add");
    }
    bench
}

/// The demo with damage, map, table and inspector.
fn unfolded(start: Start) -> Bench {
    let mut bench = start.open().demo();
    bench.click("bar:6");
    bench.click("row:3");
    bench
}

fn saved(bench: &Bench) -> String {
    let saved = bench.harness.state().saved(&bench.harness.ctx);
    serde_json::to_string(&saved).unwrap()
}

/// Presses at `from`, goes to `to` and stays there.
fn take(bench: &mut Bench, from: Pos2, to: Pos2) {
    bench.harness.hover_at(from);
    bench.harness.run();
    bench.press(from, true);
    for step in 1..=4 {
        bench.harness.hover_at(from + (to - from) * (step as f32 / 4.0));
        bench.harness.step();
    }
    bench.harness.step();
}

fn drag(bench: &mut Bench, from: Pos2, to: Pos2) {
    take(bench, from, to);
    bench.press(to, false);
    bench.harness.run();
}

fn drag_edge(bench: &mut Bench, edge: &str, by: Vec2) {
    let from = bench.rect(edge).center();
    drag(bench, from, from + by);
}

/// By its title, left of what can be pressed.
fn head(bench: &Bench, name: &str) -> Pos2 {
    bench.rect(&format!("head:{name}")).left_center() + Vec2::new(17.0, 0.0)
}

fn undo(bench: &mut Bench) {
    bench.key(Modifiers::COMMAND, Key::Z);
}

const EDGE: &str = "edge:Damage|Map, Samples";

#[test]
fn an_edge_is_dragged_taken_back_and_there_again_after_a_reload() {
    let mut bench = unfolded(Start::default());
    let first = bench.rect("pane:damage");
    assert_eq!(first.width(), 328.0);
    drag_edge(&mut bench, EDGE, Vec2::new(70.0, 3.0));
    assert_eq!(bench.rect("pane:damage").width(), 398.0);
    assert_eq!(bench.rect("pane:inspector").width(), 316.0, "only the neighbours change");
    let reloaded = Start { saved: serde_json::from_str(&saved(&bench)).unwrap(), ..Start::default() }.open();
    assert_eq!(reloaded.rect("pane:damage").width(), 398.0);
    // A drag is one step, however many frames it took.
    undo(&mut bench);
    assert_eq!(bench.rect("pane:damage"), first);
    assert_eq!(bench.state().undo_words(), None);
    bench.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!(bench.rect("pane:damage").width(), 398.0);
    // Two clicks on an edge give its panes their own lengths.
    let edge = bench.rect(EDGE).center();
    bench.harness.hover_at(edge);
    bench.harness.run();
    // A frame of the harness takes longer than a hand.
    bench.harness.ctx.options_mut(|options| options.input_options.max_double_click_delay = 1.0);
    for pressed in [true, false, true, false] {
        bench.press(edge, pressed);
    }
    bench.harness.run();
    assert_eq!(bench.rect("pane:damage"), first);
    assert_eq!(bench.state().layouts, Layouts::default());
}

#[test]
fn panes_stop_where_their_neighbours_have_no_more_room() {
    let mut bench = unfolded(Start::default());
    drag_edge(&mut bench, "edge:Map|Samples", Vec2::new(0.0, -2_000.0));
    let map = bench.rect("pane:map");
    assert_eq!((map.height(), bench.rect("pane:table").top()), (96.0, map.bottom() + 1.0));
    drag_edge(&mut bench, EDGE, Vec2::new(-2_000.0, 0.0));
    assert_eq!(bench.rect("pane:damage").width(), 96.0);
    drag_edge(&mut bench, "edge:Map, Samples|Sample", Vec2::new(-2_000.0, 0.0));
    assert_eq!(bench.rect("pane:map").width(), 96.0);
    assert_eq!(bench.rect("pane:inspector").right(), 1280.0);
}

#[test]
fn hidden_samples_are_told_on_the_narrowest_map_and_leave_its_legend() {
    use egui_kittest::kittest::Queryable as _;
    let mut bench = unfolded(Start::default());
    bench.key(Modifiers::SHIFT, Key::P);
    let pinned = bench.state().project.as_ref().unwrap().curation.pinned.len();
    assert!(bench.harness.query_by_label(&format!("pinned {pinned}")).is_some());
    bench.key(Modifiers::NONE, Key::T);
    bench.click("do:hide");
    bench.click("dialog:Hide");
    let told = |bench: &Bench| bench.harness.query_all_by_label_contains("pinned ").count();
    assert_eq!(told(&bench), 0, "none of them is on the map");
    assert!(bench.rect("map").contains_rect(bench.rect("hidden")));
    drag_edge(&mut bench, "edge:Map, Samples|Sample", Vec2::new(-2_000.0, 0.0));
    assert_eq!(bench.rect("pane:map").width(), 96.0);
    assert!(bench.rect("map").contains_rect(bench.rect("hidden")));
    bench.click("hidden");
    bench.click("dialog:Show");
    assert!(bench.state().project.as_ref().unwrap().curation.hidden.is_empty());
}

#[test]
fn names_on_the_map_stand_on_plates_apart_from_legend_and_bar() {
    let mut bench = unfolded(Start::default());
    bench.key(Modifiers::SHIFT, Key::P);
    bench.key(Modifiers::NONE, Key::N);
    let map = bench.rect("map");
    let names: Vec<String> = bench.state().clusters().iter().map(|cluster| cluster.name.clone()).collect();
    let (mut shown, mut plates) = (Vec::new(), Vec::new());
    let plate = ui::theme::Look::of(true).canvas.gamma_multiply(0.8);
    for clipped in &bench.harness.output().shapes {
        match &clipped.shape {
            egui::Shape::Text(text) if names.contains(&text.galley.job.text) => {
                let place = Rect::from_min_size(text.pos, text.galley.size());
                if map.contains_rect(place) {
                    shown.push((text.galley.job.text.clone(), place));
                }
            }
            egui::Shape::Rect(rect) if rect.fill == plate => plates.push(rect.rect),
            _ => {}
        }
    }
    assert!(shown.len() > 3, "{shown:?}");
    for (name, place) in &shown {
        assert!(plates.iter().any(|plate| plate.contains_rect(*place)), "{name} has no plate");
    }
    shown.extend([("legend".to_owned(), bench.rect("legend")), ("bar".to_owned(), bench.rect("brush bar"))]);
    stand_apart_within(&shown, map, "the map");
}

#[test]
fn panes_share_a_place_as_tabs() {
    let mut bench = unfolded(Start::default());
    let map = bench.rect("pane:map");
    let from = head(&bench, "Samples");
    let middle = Rect::from_min_max(map.min + Vec2::new(0.0, 26.0), map.max).center();
    drag(&mut bench, from, middle);
    let on_screen = |bench: &Bench, pane| bench.state().is_on_screen(pane);
    assert!(on_screen(&bench, Pane::Table) && !on_screen(&bench, Pane::Map));
    assert!(!bench.state().rects.contains_key("map"), "it is not drawn");
    bench.click("tab of Map");
    assert!(on_screen(&bench, Pane::Map) && !on_screen(&bench, Pane::Table));
    // Its key brings the table to the front, then folds it: a pane that is alone has no tab.
    bench.key(Modifiers::NONE, Key::Backslash);
    assert!(on_screen(&bench, Pane::Table));
    bench.key(Modifiers::NONE, Key::Backslash);
    assert!(on_screen(&bench, Pane::Map) && !bench.state().panels.table);
    assert!(!bench.state().rects.contains_key("tab of Map"));
    // What shows samples unfolds it before the map.
    bench.key(Modifiers::COMMAND, Key::F);
    assert!(on_screen(&bench, Pane::Table));
    let reloaded = Start { saved: serde_json::from_str(&saved(&bench)).unwrap(), ..Start::default() }.open();
    assert!(reloaded.state().rects.contains_key("tab of Map"));
    // Its picture can be saved as it is on screen, and that changes nothing.
    let before = bench.state().layouts.clone();
    bench.harness.state_mut().state.save_view = Some((View::Table, Format::Png));
    bench.harness.run();
    assert_eq!(bench.shared.borrow().downloads.len(), 1);
    assert_eq!(bench.state().layouts, before);
    for _ in 0..3 {
        undo(&mut bench);
    }
    assert_eq!(bench.rect("pane:map"), map, "folded, brought to the front and moved: all taken back");
}

#[test]
fn a_pane_is_moved_below_another_and_a_small_slip_moves_nothing() {
    let mut bench = unfolded(Start::default());
    let (from, damage) = (head(&bench, "Sample"), bench.rect("pane:damage"));
    drag(&mut bench, from, from + Vec2::new(20.0, 40.0));
    assert_eq!(bench.state().layouts, Layouts::default(), "over its own place it has not moved");
    bench.click_at(from);
    assert_eq!(bench.state().layouts, Layouts::default());
    drag(&mut bench, from, damage.center() + Vec2::new(0.0, damage.height() / 4.0));
    let (above, below) = (bench.rect("pane:damage"), bench.rect("pane:inspector"));
    assert_eq!((above.width(), below.width()), (328.0, 328.0));
    assert_eq!(below.top(), above.bottom() + 1.0);
    assert_eq!(bench.rect("pane:map").right(), 1280.0);
    // The key folds it where it stands.
    bench.key(Modifiers::NONE, Key::CloseBracket);
    assert_eq!(bench.rect("pane:damage"), damage);
    bench.key(Modifiers::NONE, Key::CloseBracket);
    assert_eq!(bench.rect("pane:inspector"), below);
}

#[test]
fn escape_lets_go_of_a_pane_and_clears_nothing() {
    let mut bench = unfolded(Start::default());
    let (from, to) = (head(&bench, "Sample"), bench.rect("pane:damage").center());
    take(&mut bench, from, to);
    assert!(bench.state().dragging_pane);
    bench.harness.key_press(Key::Escape);
    bench.harness.step();
    bench.press(to, false);
    bench.harness.run();
    assert_eq!(bench.state().layouts, Layouts::default());
    assert_ne!(*bench.state().focus.brush(), ui::state::Brush::Nothing);
}

#[test]
fn layout_and_samples_come_off_in_the_order_they_were_made() {
    let mut bench = unfolded(Start::default());
    let pinned = |bench: &Bench| bench.state().project.as_ref().unwrap().curation.pinned.len();
    bench.key(Modifiers::NONE, Key::P);
    drag_edge(&mut bench, EDGE, Vec2::new(-50.0, 0.0));
    bench.key(Modifiers::NONE, Key::OpenBracket);
    assert_eq!(bench.state().undo_words().as_deref(), Some("damage folded"));
    undo(&mut bench);
    assert_eq!((bench.rect("pane:damage").width(), pinned(&bench)), (278.0, 1));
    assert_eq!(bench.state().undo_words().as_deref(), Some("panes resized"));
    undo(&mut bench);
    assert_eq!((bench.rect("pane:damage").width(), pinned(&bench)), (328.0, 1));
    undo(&mut bench);
    assert_eq!(pinned(&bench), 0);
    // Another look at the panes keeps what was taken back of the samples.
    bench.key(Modifiers::NONE, Key::Backslash);
    bench.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!(pinned(&bench), 1);
}

#[test]
fn each_work_place_has_its_own_layout_and_resets_it_alone() {
    let mut bench = compared();
    let (cards, overlap) = (bench.rect("pane:selections"), bench.rect("pane:overlap"));
    assert_eq!((cards.width(), overlap.height()), (232.0, 300.0));
    drag_edge(&mut bench, "edge:Overlap|Clusters", Vec2::new(40.0, 0.0));
    assert_eq!(bench.rect("pane:overlap").width(), (overlap.width() + 40.0).round());
    bench.key(Modifiers::NONE, Key::Num1);
    drag_edge(&mut bench, "edge:Damage|Map", Vec2::new(40.0, 0.0));
    assert_eq!(bench.rect("pane:damage").width(), 368.0);
    bench.harness.state_mut().state.run(Command::ResetLayout);
    bench.harness.run();
    assert_eq!(bench.rect("pane:damage").width(), 328.0);
    bench.key(Modifiers::NONE, Key::Num2);
    assert_eq!(bench.rect("pane:overlap").width(), (overlap.width() + 40.0).round());
    // What is taken back is shown.
    undo(&mut bench);
    assert_eq!((bench.state().screen, bench.rect("pane:damage").width()), (Screen::Explore, 368.0));
}

#[test]
fn a_saved_layout_that_cannot_be_read_gives_way_to_the_first_one() {
    let mut bench = unfolded(Start::default());
    drag_edge(&mut bench, EDGE, Vec2::new(70.0, 0.0));
    let good = saved(&bench);
    let layout = serde_json::to_string(&bench.state().layouts).unwrap();
    assert!(good.contains(&layout));
    for broken in [r#"{"explore":{"spiral":[]}}"#, r#"{"explore":{"pane":"map"}}"#, "[]", r#"{"recover":{"row":[]}}"#] {
        let saved: Saved = serde_json::from_str(&good.replace(&layout, broken)).unwrap();
        assert!(saved.panels.inspector, "the rest of what was saved is kept: {broken}");
        let bench = Start { saved, ..Start::default() }.open();
        assert_eq!(bench.rect("pane:damage").width(), 328.0, "{broken}");
        assert_eq!(bench.state().layouts.of(Screen::Explore), Node::of(Screen::Explore));
    }
}

#[test]
fn the_head_of_a_pane_says_that_it_can_be_dragged() {
    use egui_kittest::kittest::Queryable as _;
    let mut bench = unfolded(Start::default());
    let at = head(&bench, "Samples");
    bench.harness.hover_at(at);
    bench.harness.run_steps(12);
    assert_eq!(bench.harness.output().platform_output.cursor_icon, egui::CursorIcon::Grab);
    assert!(bench.harness.query_by_label("Drag to move this pane").is_some());
}

/// Named widgets that are on screen, of those whose name begins so.
fn placed(bench: &Bench, names: &[&str]) -> Vec<(String, Rect)> {
    let rects = bench.state().rects.iter();
    let wanted = |name: &str| names.iter().any(|start| name.starts_with(start));
    rects.filter(|(name, _)| wanted(name)).map(|(name, rect)| (name.clone(), *rect)).collect()
}

fn stand_apart_within(placed: &[(String, Rect)], whole: Rect, what: &str) {
    for (at, (name, rect)) in placed.iter().enumerate() {
        assert!(whole.expand(0.5).contains_rect(*rect), "{what}: {name} at {rect} is cut by {whole}");
        for (other, place) in &placed[at + 1..] {
            assert!(!rect.shrink(0.5).intersects(place.shrink(0.5)), "{what}: {name} lies over {other}");
        }
    }
}

#[test]
fn nothing_is_cut_or_overlaps_at_larger_text_with_every_pane_open() {
    for scale in [1.0, 1.1, 1.25_f32] {
        let mut bench = unfolded(Start { size: [1280.0 / scale, 800.0 / scale], ..Start::default() });
        bench.key(Modifiers::NONE, Key::N);
        bench.click("search");
        bench.harness.event(egui::Event::Text("coins".into()));
        bench.harness.run_steps(8);
        bench.key(Modifiers::NONE, Key::Escape);
        assert!(bench.state().contents_open() && bench.state().panels.inspector && bench.state().panels.table);
        let what = |part: &str| format!("{part} at {scale}");
        let title = |bench: &Bench, name: &str| {
            use egui_kittest::kittest::{Queryable as _, by};
            let is = |node: &egui_kittest::kittest::AccessKitNode<'_>| {
                node.role() == egui::accesskit::Role::Label && node.value().as_deref() == Some(name)
            };
            let titles: Vec<Rect> = bench.harness.query_all(by().predicate(is)).map(|node| node.rect()).collect();
            let head = bench.rect(&format!("head:{name}"));
            let title = titles.into_iter().find(|rect| head.contains_rect(*rect)).unwrap();
            (format!("title of {name}"), title)
        };
        let mut head = placed(&bench, &["colour", "tool:", "map menu", "Fit", "save:map", "samples on the map"]);
        head.push(title(&bench, "Map"));
        assert!(head.len() > 2, "{head:?}");
        stand_apart_within(&head, bench.rect("head:Map"), &what("the map's head"));
        let on_map = placed(&bench, &["brush bar", "legend", "hidden"]);
        stand_apart_within(&on_map, bench.rect("map"), &what("the map"));
        let bar = placed(&bench, &["BrushPin", "BrushExclude", "EditSamples", "brush menu", "clear brush"]);
        assert!(bar.len() > 1, "{bar:?}");
        stand_apart_within(&bar, bench.rect("brush bar"), &what("the bar"));
        let table = bench.rect("pane:table");
        let mut head =
            placed(&bench, &["Export", "Apply to all", "table brush", "filter kind", "search", "head:id", "head:jsd"]);
        head.extend(placed(&bench, &["head:instruction", "head:status", "head:ies", "save:samples"]));
        head.push(title(&bench, "Samples"));
        let top = Rect::from_min_max(table.min, Pos2::new(table.right(), bench.rect("row:0").top()));
        stand_apart_within(&head, top, &what("the table's head"));
        assert!(bench.rect("search").width() >= 180.0, "{}: {}", scale, bench.rect("search").width());
    }
}
