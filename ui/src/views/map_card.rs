//! What lies over the map: the card of the hovered sample, and the bar that says what is brushed.

use egui::{Align2, Color32, Id, LayerId, Order, Popup, Pos2, Rect, Ui, Vec2, pos2, vec2};

use super::sample_menu;
use crate::{
    command::Command,
    format,
    state::{AppState, Brush, Screen},
    theme::icons,
    widgets::{self, Words, button::Button, look, row},
};

const CARD: f32 = 280.0;

/// Text and scores of a sample beside its point.
pub fn show(ui: &Ui, body: Rect, at: Pos2, row: u32, state: &mut AppState) {
    let look = look(ui);
    let text = state.data.text(row).map(|text| (text.id.clone(), text.instruction.clone()));
    let (id, instruction) = text.unwrap_or_default();
    let cluster = state.cluster_of(row).and_then(|cluster| state.cluster(cluster)).map(|c| (c.name.clone(), c.colour));
    let painter = ui.ctx().layer_painter(LayerId::new(Order::Tooltip, Id::unique("map card")));
    let inner = CARD - 20.0;
    let body_text =
        Words::of(look).t(if instruction.is_empty() { "..." } else { instruction.trim() }).galley(ui, inner, 3);
    let foot = foot(state, row, look);
    let height = 8.0 + 18.0 + 3.0 + body_text.size().y + 6.0 + 16.0 + 8.0;
    let right = at.x + 16.0 + CARD <= body.right();
    let left = if right { at.x + 16.0 } else { (at.x - 16.0 - CARD).max(body.left() + 8.0) };
    let top = (at.y - 30.0).clamp(body.top() + 8.0, (body.bottom() - height - 8.0).max(body.top() + 8.0));
    let place = Rect::from_min_size(pos2(left, top), Vec2::new(CARD, height));
    painter.rect(place, 4.0, look.overlay, egui::Stroke::new(1.0, look.edge), egui::StrokeKind::Inside);
    let line = place.top() + 17.0;
    let put = |words: Words, at: Pos2, anchor: Align2, width: f32| {
        let galley = words.galley(ui, width, 1);
        let rect = anchor.anchor_size(at, galley.size());
        painter.galley(rect.min, galley, Color32::PLACEHOLDER);
        rect
    };
    let id_rect = put(Words::of(look).num3(id), pos2(place.right() - 10.0, line), Align2::RIGHT_CENTER, 90.0);
    let (name, colour) = match &cluster {
        Some((name, colour)) => (name.as_str(), look.cluster(*colour)),
        None => ("no cluster", look.neither),
    };
    let square = Rect::from_center_size(pos2(place.left() + 14.5, line), Vec2::splat(9.0));
    painter.rect_filled(square, 2.0, colour);
    put(
        Words::of(look).t(name),
        pos2(place.left() + 26.0, line),
        Align2::LEFT_CENTER,
        id_rect.left() - place.left() - 34.0,
    );
    let text_height = body_text.size().y;
    painter.galley(pos2(place.left() + 10.0, place.top() + 29.0), body_text, look.text);
    put(foot, pos2(place.left() + 10.0, place.top() + 29.0 + text_height + 14.0), Align2::LEFT_CENTER, inner);
}

/// Damage, length and status, in one line.
fn foot(state: &mut AppState, row: u32, look: &'static crate::theme::Look) -> Words {
    let mut foot = Words::of(look);
    if let Some(jsd) = state.numbers("jsd").and_then(|jsd| jsd.get(row as usize).copied()) {
        foot = if jsd.is_finite() {
            foot.t2("jsd ").num(format::nats(f64::from(jsd))).t2(" nats   ")
        } else {
            foot.t3("no score   ")
        };
    }
    if let Some(tokens) = tokens_of(state, row) {
        foot = foot.t2(format!("{} tokens   ", format::count(tokens)));
    }
    if state.is_pinned(row) {
        foot = foot.part("pinned", crate::theme::body(), look.pinned);
    } else if state.is_excluded(row) {
        foot = foot.part("excluded", crate::theme::body(), look.excluded);
    } else if let Some(reason) = state.reason(row) {
        let colour = if reason.is_taken() { look.a } else { look.text_3 };
        foot = foot.part(reason.word(), crate::theme::body(), colour);
    }
    foot
}

/// Response tokens, else the first column that counts tokens.
pub fn tokens_of(state: &mut AppState, row: u32) -> Option<u64> {
    let columns = &state.project.as_ref()?.columns;
    let counts = || columns.iter().filter(|column| column.unit == "tokens");
    let name = counts().find(|column| column.name == "response_tokens").or_else(|| counts().next())?.name.clone();
    let value = state.numbers(&name)?.get(row as usize).copied()?;
    value.is_finite().then_some(value as u64)
}

/// How many samples are hidden, and the way back: above the legend, at every width. The rectangle that it takes.
pub fn hidden(ui: &mut Ui, body: Rect, state: &mut AppState) -> Option<Rect> {
    let hidden = state.project.as_ref().map_or(0, |project| project.curation.hidden.len());
    if hidden == 0 || state.for_file {
        return None;
    }
    let line = Rect::from_min_size(pos2(body.left() + 6.0, body.bottom() - 50.0), vec2(body.width() - 12.0, 22.0));
    let count = format::count(hidden as u64);
    let texts = [format!("{count} hidden: show again..."), format!("{count} hidden"), count];
    let words = widgets::fitting(ui, texts, line.width() - BUTTON);
    let button = Button::new(&words).height(22.0).icon(icons::EYE_SLASH).name(Command::ShowHidden.name());
    let button = row(ui, line, 0.0, |ui| ui.add(button));
    let rect = button.rect;
    state.note("hidden", rect);
    if button.on_hover_text(Command::ShowHidden.hint()).clicked() {
        state.run(Command::ShowHidden);
    }
    Some(rect)
}

/// What a button takes beside its text: its edges, an icon and a gap.
const BUTTON: f32 = 36.0;
const GAP: f32 = 8.0;

/// What the bar of the brush does by buttons of its own where there is room.
const ON_THE_BAR: [(Command, char, &str); 3] = [
    (Command::BrushPin, icons::PUSH_PIN, "pin all"),
    (Command::BrushExclude, icons::PROHIBIT, "exclude all"),
    (Command::EditSamples, icons::TAG, "tag, hide..."),
];

/// How much of the bar there is room for.
#[derive(Clone, Copy, PartialEq)]
enum Bar {
    Words,
    Icons,
    /// One menu for all.
    Menu,
}

/// How many are brushed and taken, and what can be done with all of them.
pub fn brush_bar(ui: &mut Ui, body: Rect, state: &mut AppState) {
    if state.for_file {
        return;
    }
    let Some((count, taken)) = state.brush_counts() else {
        state.brush_bar = None;
        return;
    };
    let look = look(ui);
    if let Some(last) = state.brush_bar {
        // Clicks between its words must not reach the map.
        let sense = egui::Sense::click_and_drag() - egui::Sense::FOCUSABLE;
        let bar = ui.interact(last, Id::unique("brush bar"), sense);
        bar.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Group, true, "Brushed samples"));
    }
    let brushed = Words::new(ui).num(format::count(count)).t(" brushed");
    // Of the selection being built, which Compare does not show.
    let taken = taken.filter(|_| state.screen == Screen::Explore);
    let with_taken = |ui: &Ui, long: bool| {
        let Some(taken) = taken else { return brushed.clone() };
        let held = match (state.built_name(), long) {
            (Some(name), false) => format!(" in {}", widgets::elided(ui, name, 80.0)),
            (Some(name), true) => format!(" of them in \"{}\"", widgets::elided(ui, name, 160.0)),
            (None, false) => " taken".to_owned(),
            (None, true) => " of them in the selection being built".to_owned(),
        };
        let count = format!(" {}", format::count(taken));
        brushed.clone().t(",").num_a(count).part(held, crate::theme::body(), look.a)
    };
    let at = body.min + vec2(8.0, 8.0);
    let background = ui.painter().add(egui::Shape::Noop);
    let inside = Rect::from_min_size(at + vec2(9.0, 0.0), Vec2::new(body.width() - 34.0, 28.0));
    let (long, short) = (with_taken(ui, true), with_taken(ui, false));
    let (words, bar) = match fitting_bar(ui, &long, inside.width()) {
        Bar::Words => (long, Bar::Words),
        _ => {
            let bar = fitting_bar(ui, &short, inside.width());
            (short, bar)
        }
    };
    let right = row(ui, inside, GAP, |ui| {
        match state.focus.single_cluster().and_then(|cluster| state.cluster(cluster)) {
            Some(cluster) => widgets::swatch(ui, look.cluster(cluster.colour)),
            None => {
                Words::new(ui).icon(icons::SELECTION, 14.0, look.text).show(ui);
            }
        }
        if bar == Bar::Menu {
            let room = (inside.width() - MENU).max(0.0);
            let fits = words.clone().galley(ui, f32::INFINITY, 1).size().x <= room;
            let words = if fits { words } else { brushed };
            words.show_in(ui, room, 1);
            menu(ui, state);
        } else {
            words.show(ui);
            widgets::separator(ui);
            for (command, icon, text) in ON_THE_BAR {
                let text = if bar == Bar::Words { text } else { "" };
                let response = ui.add(Button::new(text).quiet().icon(icon).height(22.0).name(command.name()));
                state.note(format!("{command:?}"), response.rect);
                if response.on_hover_text(command.hint()).clicked() {
                    state.run(command);
                }
            }
        }
        let text = if bar == Bar::Words { "clear" } else { "" };
        let response = ui.add(Button::new(text).quiet().icon(icons::X).height(22.0).name("Clear the brush"));
        state.note("clear brush", response.rect);
        if response.on_hover_text("Clear the brush  (Esc)").clicked() {
            state.focus.set_brush(Brush::Nothing);
        }
        if bar == Bar::Words {
            widgets::key_cap(ui, "Esc");
        }
        ui.min_rect().right()
    });
    let whole = Rect::from_min_max(at, pos2(right + 8.0, at.y + 28.0));
    let shape = egui::epaint::RectShape::new(
        whole,
        4.0,
        look.overlay,
        egui::Stroke::new(1.0, look.edge),
        egui::StrokeKind::Inside,
    );
    ui.painter().set(background, shape);
    state.note("brush bar", whole);
    state.brush_bar = Some(whole);
}

/// Of the bar with a menu, all but its words: sign, menu, clear, and the gaps.
const MENU: f32 = 14.0 + 26.0 + BUTTON + 3.0 * GAP;

fn fitting_bar(ui: &Ui, words: &Words, room: f32) -> Bar {
    let buttons = ON_THE_BAR.len() as f32 + 1.0;
    let icons = 14.0 + words.clone().galley(ui, f32::INFINITY, 1).size().x + 1.0 + buttons * BUTTON + 6.0 * GAP;
    let texts = ON_THE_BAR.iter().map(|(.., text)| *text).chain(["clear", "Esc"]);
    let texts: f32 = texts.map(|text| widgets::width_of(ui, text)).sum();
    match icons {
        icons if icons + texts + 2.0 * GAP <= room => Bar::Words,
        icons if icons <= room => Bar::Icons,
        _ => Bar::Menu,
    }
}

fn menu(ui: &mut Ui, state: &mut AppState) {
    let more = widgets::icon_button(ui, icons::DOTS_THREE, "What can be done with them", false, None);
    state.note("brush menu", more.rect);
    Popup::menu(&more).accessible_name("Brushed samples").show(|ui| {
        ui.set_width(250.0);
        if let Some(command) = sample_menu::entries(ui, state, &sample_menu::BRUSHED) {
            state.run(command);
        }
    });
}
