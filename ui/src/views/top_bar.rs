//! The bar at the top of every screen: menu, project, running job, device, palette, undo, panels, theme, help.

use egui::{Color32, Popup, Pos2, Rect, Stroke, StrokeKind, Ui, Vec2, pos2};

use crate::{
    command::{Command, Group},
    layout::Pane,
    state::{AppState, Screen},
    theme::{Mode, icons},
    widgets::{
        self, Words,
        button::{drawn_button, icon_button},
        field::menu_entry,
        look, row, row_right, separator,
    },
};

/// The bar of Explore.
pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState) {
    ground(ui, rect);
    let inside =
        Rect::from_min_max(pos2(rect.left() + 10.0, rect.top()), pos2(rect.right() - 8.0, rect.bottom() - 1.0));
    let left_end = row(ui, inside, 10.0, |ui| {
        logo_menu(ui, state);
        let name = state.project.as_ref().map_or_else(String::new, |project| project.name.clone());
        let button = ui.add(
            widgets::Button::new(&name).quiet().strong().height(26.0).caret(icons::CARET_DOWN).name("Project menu"),
        );
        project_menu(&button, state);
        separator(ui);
        ui.add_space(-2.0);
        ui.spacing_mut().item_spacing.x = 0.0;
        for (command, screen) in [
            (Command::ShowExplore, Screen::Explore),
            (Command::ShowCompare, Screen::Compare),
            (Command::ShowRecover, Screen::Recover),
        ] {
            tab(ui, state, command, screen);
        }
        ui.min_rect().right()
    });
    let right = Rect::from_min_max(pos2(left_end + 12.0, inside.top()), inside.max);
    row_right(ui, right, 0.0, |ui| {
        common_right(ui, state);
        let table = state.panels.table && !state.is_behind(Pane::Table);
        let inspector = state.panels.inspector && !state.is_behind(Pane::Inspector);
        for (command, on, part) in [
            (Command::ToggleInspector, inspector, [9.0, 3.0, 4.0, 9.0]),
            (Command::ToggleTable, table, [2.0, 9.0, 11.0, 3.0]),
            (Command::ToggleDamage, state.damage_shown(), [2.0, 3.0, 4.0, 9.0]),
        ] {
            // The other panels are Explore's, and Recover has none of them.
            let compare = state.screen == Screen::Compare && command == Command::ToggleInspector;
            if state.screen != Screen::Explore && !compare {
                continue;
            }
            let hint = command.hint();
            let response = drawn_button(ui, &hint, on, None, Vec2::splat(26.0), |ui, rect, ink| {
                panel_icon(ui, rect.center(), part, on, ink);
            });
            state.note(format!("{command:?}"), response.rect);
            if response.clicked() {
                state.run(command);
            }
        }
        if state.screen == Screen::Explore {
            let contents =
                icon_button(ui, icons::LIST_BULLETS, &Command::ToggleContents.hint(), state.contents_open(), None);
            state.note("ToggleContents", contents.rect);
            if contents.clicked() {
                state.run(Command::ToggleContents);
            }
        }
        ui.add_space(6.0);
        separator(ui);
        ui.add_space(6.0);
        for (command, icon) in
            [(Command::Redo, icons::ARROW_CLOCKWISE), (Command::Undo, icons::ARROW_COUNTER_CLOCKWISE)]
        {
            let why = command.enabled(state).err();
            let what = if command == Command::Undo { state.undo_words() } else { state.redo_words() };
            let hint = what.map_or_else(|| command.hint(), |what| format!("{}: {what}", command.hint()));
            let response = icon_button(ui, icon, &hint, false, why);
            state.note(format!("{command:?}"), response.rect);
            if response.clicked() {
                state.run(command);
            }
        }
        ui.add_space(6.0);
        search(ui, state);
        ui.add_space(12.0);
        if let Some(device) = state.project.as_ref().map(|project| project.device.clone()).filter(|d| !d.is_empty()) {
            let look = look(ui);
            let (icon, room) = (icons::CPU, ui.available_width());
            if room > 90.0 {
                Words::of(look).icon(icon, 15.0, look.text_2).t2("  ").t2(device).show_in(ui, room.min(160.0), 1);
            }
        }
        super::jobs::top_bar_job(ui, state);
    });
}

/// The bar of Welcome and New project.
pub fn plain(ui: &mut Ui, rect: Rect, state: &mut AppState, page: Option<&str>) {
    ground(ui, rect);
    let inside =
        Rect::from_min_max(pos2(rect.left() + 10.0, rect.top()), pos2(rect.right() - 8.0, rect.bottom() - 1.0));
    row(ui, inside, 10.0, |ui| {
        logo_menu(ui, state);
        Words::new(ui).strong("PASER Studio").show(ui);
        if let Some(page) = page {
            separator(ui);
            Words::new(ui).t(page).show(ui);
        }
    });
    let right = Rect::from_min_max(pos2(inside.right() - 420.0, inside.top()), inside.max);
    row_right(ui, right, 0.0, |ui| {
        common_right(ui, state);
        ui.add_space(8.0);
        search(ui, state);
    });
}

fn ground(ui: &Ui, rect: Rect) {
    let look = look(ui);
    ui.painter().rect_filled(rect, 0.0, look.panel);
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, look.line));
}

/// Help and theme, from the right.
fn common_right(ui: &mut Ui, state: &mut AppState) {
    let help = icon_button(ui, icons::QUESTION, &Command::Shortcuts.hint(), false, None);
    state.note("Shortcuts", help.rect);
    if help.clicked() {
        state.run(Command::Shortcuts);
    }
    let icon = match state.mode {
        Mode::System => icons::CIRCLE_HALF,
        Mode::Dark => icons::MOON,
        Mode::Light => icons::SUN,
    };
    let theme = icon_button(ui, icon, &format!("Theme: {}", state.mode.name()), false, None);
    state.note("Theme", theme.rect);
    if theme.clicked() {
        state.run(Command::Theme);
    }
}

/// The field that opens the palette.
fn search(ui: &mut Ui, state: &mut AppState) {
    let look = look(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(190.0, 26.0), egui::Sense::click());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Button, true, Command::Palette.name()));
    let edge = if response.hovered() { look.axis } else { look.edge };
    ui.painter().rect(rect, 3.0, look.control, Stroke::new(1.0, edge), StrokeKind::Inside);
    row(ui, rect.shrink2(Vec2::new(8.0, 0.0)), 6.0, |ui| {
        Words::new(ui).icon(icons::MAGNIFYING_GLASS, 13.0, look.text_3).show(ui);
        Words::new(ui).t3("Search or run").show(ui);
    });
    row_right(ui, rect.shrink2(Vec2::new(6.0, 0.0)), 3.0, |ui| {
        widgets::key_cap(ui, "K");
        widgets::key_cap(ui, "Ctrl");
    });
    widgets::focus_ring(ui, &response, rect);
    state.note("Palette", rect);
    if response.clicked() {
        state.run(Command::Palette);
    }
}

/// A work place: its name, underlined where one is in it.
fn tab(ui: &mut Ui, state: &mut AppState, command: Command, screen: Screen) {
    let look = look(ui);
    let on = state.screen == screen;
    let galley =
        ui.painter().layout_no_wrap(command.name().to_owned(), crate::theme::read_strong(), Color32::PLACEHOLDER);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(galley.size().x + 24.0, 39.0), egui::Sense::click());
    response.widget_info(|| egui::WidgetInfo::selected(egui::accesskit::Role::Tab, true, on, command.name()));
    let ink = if on || response.hovered() { look.text } else { look.text_2 };
    ui.painter().galley_with_override_text_color(rect.center() - galley.size() / 2.0, galley, ink);
    if on {
        ui.painter().hline(rect.x_range(), rect.bottom(), Stroke::new(2.0, look.accent));
    }
    widgets::focus_ring(ui, &response, rect.shrink(3.0));
    state.note(format!("{command:?}"), rect);
    if response.on_hover_text(command.hint()).clicked() {
        state.run(command);
    }
}

/// Six points, three of them taken.
pub fn logo(ui: &Ui, rect: Rect) {
    let look = look(ui);
    let at = |x: f32, y: f32| rect.min + Vec2::new(x, y) * (rect.width() / 18.0);
    let size = rect.width() / 18.0;
    for (x, y) in [(4.0, 13.0), (9.0, 14.0), (4.5, 7.5)] {
        ui.painter().circle_filled(at(x, y), 1.6 * size, look.neither);
    }
    for (x, y) in [(9.0, 9.0), (13.5, 10.0), (11.0, 4.0)] {
        ui.painter().circle_filled(at(x, y), 1.9 * size, look.accent);
    }
}

fn logo_menu(ui: &mut Ui, state: &mut AppState) {
    let response = drawn_button(ui, "Menu", false, None, Vec2::splat(24.0), |ui, rect, _| {
        logo(ui, Rect::from_center_size(rect.center(), Vec2::splat(18.0)));
    });
    state.note("Menu", response.rect);
    Popup::menu(&response).accessible_name("Menu").gap(4.0).show(|ui| {
        ui.set_width(280.0);
        let groups: &[Group] = if state.screen.is_work_place() { &Group::ALL } else { &[Group::Project, Group::View] };
        let height = ui.ctx().content_rect().height() - 80.0;
        egui::ScrollArea::vertical().max_height(height).min_scrolled_height(height).show(ui, |ui| {
            for group in groups {
                ui.add_space(4.0);
                Words::new(ui).small(group.name()).show(ui);
                for command in Command::ALL.into_iter().filter(|command| command.group() == *group) {
                    entry(ui, state, command);
                }
            }
        });
    });
}

fn project_menu(button: &egui::Response, state: &mut AppState) {
    state.note("Project menu", button.rect);
    Popup::menu(button).accessible_name("Project menu").gap(4.0).show(|ui| {
        ui.set_width(320.0);
        if let Some(project) = &state.project {
            ui.add_space(4.0);
            for text in [
                project.path.clone(),
                format!("dense: {}", project.dense),
                if project.pruning.is_empty() {
                    format!("pruned: {}", project.pruned)
                } else {
                    format!("pruned: {} ({})", project.pruned, project.pruning)
                },
                format!("pool: {}", project.pool.path),
            ] {
                Words::new(ui).small(text).show_in(ui, 312.0, 1);
            }
            ui.add_space(6.0);
        }
        if menu_entry(ui, "Show the recipe", "", false, Some(icons::FILE_TEXT), true).clicked() {
            state.dialog = Some(crate::dialogs::Dialog::Recipe);
            ui.close();
        }
        if state.project.as_ref().is_some_and(|project| project.pool.bad > 0)
            && menu_entry(ui, "Show the rows that were not read", "", false, Some(icons::WARNING), true).clicked()
        {
            state.dialog = Some(crate::dialogs::Dialog::BadRows);
            ui.close();
        }
        for command in Command::ALL.into_iter().filter(|command| command.group() == Group::Project) {
            entry(ui, state, command);
        }
    });
}

fn entry(ui: &mut Ui, state: &mut AppState, command: Command) {
    let enabled = command.enabled(state);
    let response = menu_entry(ui, command.name(), &command.keys().join("+"), false, None, enabled.is_ok());
    let response = match enabled {
        Err(why) => response.on_hover_text(why),
        Ok(()) => response,
    };
    if response.clicked() && enabled.is_ok() {
        state.run(command);
        ui.close();
    }
}

/// A window with one part set off; filled when that panel is open.
fn panel_icon(ui: &Ui, centre: Pos2, part: [f32; 4], on: bool, ink: Color32) {
    let min = centre - Vec2::splat(7.5);
    let frame = Rect::from_min_size(min + Vec2::new(1.5, 2.5), Vec2::new(12.0, 10.0));
    let stroke = Stroke::new(1.0, ink);
    ui.painter().rect_stroke(frame, 1.0, stroke, StrokeKind::Middle);
    let inner = Rect::from_min_size(min + Vec2::new(part[0], part[1]), Vec2::new(part[2], part[3]));
    if on {
        ui.painter().rect_filled(inner, 0.0, ink);
    } else if part[2] < part[3] {
        let x = if part[0] < 7.0 { inner.right() } else { inner.left() };
        ui.painter().vline(x, frame.y_range(), stroke);
    } else {
        ui.painter().hline(frame.x_range(), inner.top() - 0.5, stroke);
    }
}
