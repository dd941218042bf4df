//! Settings: how the window looks, how much of the machine a run may have, what lies on disk and can be cleared; and the
//! messages so far.

use egui::{Align2, Context, Rect, Sense, Ui, Vec2, pos2};
use paser_protocol::{CacheView, EngineSettings, Request};

use super::{
    export::{line, title},
    modal, padded,
};
use crate::{
    command::Command,
    dialogs::{Dialog, SettingsForm},
    format,
    orders::SCALES,
    state::{AppState, For},
    theme::{Mode, icons},
    widgets::{
        Button, Words,
        field::Field,
        icon_button, look,
        pane::{remark, section_head},
        row_right,
        segmented::{Face, segmented},
    },
};

const MODES: [Mode; 3] = [Mode::System, Mode::Dark, Mode::Light];
const GIB: f64 = 1_073_741_824.0;

/// The engine's settings as typed, or why they are none.
pub(crate) fn parse(form: &SettingsForm) -> Result<EngineSettings, &'static str> {
    let threads = match form.threads.trim() {
        "" => 0,
        text => {
            text.parse::<u32>().ok().filter(|threads| *threads <= 1024).ok_or("threads: a number, or empty for all")?
        }
    };
    let memory = match form.memory.trim().replace(',', ".") {
        text if text.is_empty() => None,
        text => {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0625);
            Some((number.ok_or("memory: GiB as a number, or empty for no limit")? * GIB) as u64)
        }
    };
    Ok(EngineSettings { threads, memory })
}

/// What was kept, as it is typed.
pub(crate) fn typed(settings: EngineSettings) -> (String, String) {
    let threads = if settings.threads == 0 { String::new() } else { settings.threads.to_string() };
    let memory = settings.memory.map(|bytes| {
        let text = format::decimal(bytes as f64 / GIB, 2).replace(',', "");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    });
    (threads, memory.unwrap_or_default())
}

fn head(ui: &mut Ui, text: &str) {
    ui.add_space(6.0);
    padded(ui, 22.0, |ui, rect| {
        crate::widgets::column(ui, rect, |ui| section_head(ui, text, None));
    });
}

pub fn show(ctx: &Context, state: &mut AppState, mut form: SettingsForm) -> Option<Dialog> {
    let mut messages = false;
    let room = ctx.content_rect().height() - 90.0;
    let (close, veil) = modal(ctx, "Settings", 600.0, None, |ui| {
        let (bar, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 44.0), Sense::hover());
        let words = Words::of(look(ui)).part("Settings", crate::theme::title(15.0), look(ui).text);
        words.at(ui, pos2(bar.left() + 16.0, bar.center().y), Align2::LEFT_CENTER, 300.0);
        let close = row_right(ui, bar.shrink2(Vec2::new(10.0, 0.0)), 0.0, |ui| {
            let close = icon_button(ui, icons::X, "Close", false, None);
            state.note("dialog:Close", close.rect);
            close.clicked()
        });
        egui::ScrollArea::vertical().max_height(room).min_scrolled_height(room).auto_shrink([false, true]).show(
            ui,
            |ui| {
                ui.spacing_mut().item_spacing = Vec2::ZERO;
                appearance(ui, state);
                messages = window(ui, state);
                work(ui, state, &mut form);
                storage(ui, state, &mut form);
                ui.add_space(12.0);
            },
        );
        close
    });
    if messages {
        return Some(Dialog::Messages);
    }
    (!close && !veil).then_some(Dialog::Settings(form))
}

fn appearance(ui: &mut Ui, state: &mut AppState) {
    head(ui, "Appearance");
    line(ui, "Theme", |ui| {
        let faces =
            [(Face::Text("as the system"), "system"), (Face::Text("dark"), "dark"), (Face::Text("light"), "light")];
        let chosen = MODES.iter().position(|mode| *mode == state.mode).unwrap_or(0);
        let mut cells = Vec::new();
        if let Some(place) = segmented(ui, "Theme", &faces, chosen, 24.0, |place, cell| cells.push((place, cell))) {
            state.mode = MODES[place];
        }
        for (place, cell) in cells {
            state.note(format!("theme:{}", faces[place].1), cell);
        }
    });
    line(ui, "Scale", |ui| {
        let names = SCALES.map(|scale| format!("{scale}"));
        let faces: Vec<_> = names.iter().map(|name| (Face::Text(name.as_str()), name.as_str())).collect();
        let now = ui.ctx().zoom_factor();
        let near = |a: &f32, b: &f32| (a - now).abs().total_cmp(&(b - now).abs());
        let chosen = SCALES.iter().enumerate().min_by(|(_, a), (_, b)| near(a, b)).map_or(0, |(place, _)| place);
        let mut cells = Vec::new();
        if let Some(place) = segmented(ui, "Scale", &faces, chosen, 24.0, |place, cell| cells.push((place, cell))) {
            ui.ctx().set_zoom_factor(SCALES[place]);
        }
        for (place, cell) in cells {
            state.note(format!("scale:{}", names[place]), cell);
        }
    });
}

/// True: the messages are asked for.
fn window(ui: &mut Ui, state: &mut AppState) -> bool {
    line(ui, "Window", |ui| {
        let reset = ui.add(Button::new(Command::ResetLayout.name()).height(24.0));
        state.note("ResetLayout", reset.rect);
        if reset.on_hover_text(Command::ResetLayout.description()).clicked() {
            state.run(Command::ResetLayout);
        }
        let messages = ui.add(Button::new(Command::Messages.name()).height(24.0));
        state.note("Messages", messages.rect);
        messages.clicked()
    })
}

fn work(ui: &mut Ui, state: &mut AppState, form: &mut SettingsForm) {
    head(ui, "Runs");
    let Some(view) = state.settings.clone() else {
        padded(ui, 26.0, |ui, rect| {
            Words::new(ui).t3("asking the engine").at(ui, rect.left_center(), Align2::LEFT_CENTER, 300.0);
        });
        return;
    };
    if form.fresh {
        (form.threads, form.memory) = typed(view.settings);
        form.fresh = false;
    }
    let asked = parse(form);
    let mut go = false;
    line(ui, "Threads", |ui| {
        let field = Field::new("Threads of a run", 80.0).mono().height(26.0).show(ui, &mut form.threads);
        state.note("settings threads", field.response.rect);
        go |= field.entered;
        let words = match view.threads_fixed {
            Some(threads) => format!("fixed at {threads} when the engine was started"),
            None => format!("of {}; empty: all", view.threads),
        };
        Words::new(ui).t2(words).show(ui);
    });
    line(ui, "Memory", |ui| {
        let field = Field::new("Memory of a stage in GiB", 80.0).mono().height(26.0).show(ui, &mut form.memory);
        state.note("settings memory", field.response.rect);
        go |= field.entered;
        let there = match view.memory {
            0 => String::new(),
            bytes => format!("of {} ", format::bytes(bytes)),
        };
        Words::new(ui).t2(format!("GiB {there}that a stage may need; empty: no limit")).show(ui);
    });
    line(ui, "", |ui| {
        let changed = asked != Ok(view.settings);
        let why = match &asked {
            Err(why) => Err(*why),
            Ok(_) if !changed => Err("this is what is set"),
            Ok(_) => Ok(()),
        };
        let apply = ui.add_enabled(why.is_ok(), Button::new("Apply to the next run").height(26.0));
        state.note("settings apply", apply.rect);
        go = go && why.is_ok() || apply.clicked();
        apply.on_disabled_hover_text(why.err().unwrap_or_default());
        if let Err(why) = &asked {
            Words::new(ui).part(why, crate::theme::body(), look(ui).error).show(ui);
        }
    });
    if go && let Ok(settings) = asked {
        state.ask(Request::SetSettings { settings }, For::Settings);
    }
    for device in &view.devices {
        padded(ui, 22.0, |ui, rect| {
            crate::widgets::column(ui, rect, |ui| match &device.missing {
                None => remark(ui, "ok", &device.name),
                Some(why) => remark(ui, "info", &format!("{}: not here; {why}", device.name)),
            });
        });
    }
    if let Some(trouble) = &view.trouble {
        padded(ui, 36.0, |ui, rect| {
            crate::widgets::column(ui, rect, |ui| {
                remark(
                    ui,
                    "error",
                    &format!("The kept settings cannot be read ({trouble}). Applying writes them anew."),
                );
            });
        });
    }
}

fn storage(ui: &mut Ui, state: &mut AppState, form: &mut SettingsForm) {
    let Some(view) = state.settings.clone() else { return };
    head(ui, "On disk, and can be had again");
    if view.caches.is_empty() {
        padded(ui, 24.0, |ui, rect| {
            Words::new(ui).t3("Nothing is kept.").at(ui, rect.left_center(), Align2::LEFT_CENTER, 400.0);
        });
    }
    for cache in &view.caches {
        one(ui, state, form, cache);
    }
    padded(ui, 24.0, |ui, rect| {
        let words = format!("settings, recent projects and reports of crashes: {}", view.state_folder);
        Words::new(ui).small(words).at(ui, rect.left_center(), Align2::LEFT_CENTER, rect.width());
    });
}

fn one(ui: &mut Ui, state: &mut AppState, form: &mut SettingsForm, cache: &CacheView) {
    let asked = form.asked.as_ref() == Some(&cache.id);
    padded(ui, 44.0, |ui, rect| {
        let left = row_right(ui, rect, 6.0, |ui| {
            if asked {
                let yes = ui.add(Button::new("Clear it").height(24.0).name("Really clear"));
                state.note(format!("really clear:{}", cache.id), yes.rect);
                if yes.clicked() {
                    form.asked = None;
                    state.ask(Request::ClearCache { id: cache.id.clone() }, For::Settings);
                }
                if ui.add(Button::new("Keep it").height(24.0)).clicked() {
                    form.asked = None;
                }
            } else {
                let name = format!("Clear {}", cache.name);
                let clear = ui.add_enabled(cache.held.is_none(), Button::new("Clear...").height(24.0).name(&name));
                state.note(format!("clear:{}", cache.id), clear.rect);
                if clear.on_disabled_hover_text(cache.held.as_deref().unwrap_or_default()).clicked() {
                    form.asked = Some(cache.id.clone());
                }
            }
            ui.min_rect().left()
        });
        let room = left - rect.left() - 12.0;
        let words = Words::new(ui).t(&cache.name).t2("  ").num2(format::bytes(cache.bytes));
        words.at(ui, pos2(rect.left(), rect.top() + 13.0), Align2::LEFT_CENTER, room);
        let below = if asked { format!("Clear it? {}", cache.cost) } else { cache.path.clone() };
        let place = Rect::from_min_max(pos2(rect.left(), rect.top() + 22.0), pos2(rect.left() + room, rect.bottom()));
        Words::new(ui).small(below).at(ui, place.left_center(), Align2::LEFT_CENTER, room);
    });
}

/// Every message so far, the newest first.
pub fn messages(ctx: &Context, state: &mut AppState) -> Option<Dialog> {
    let room = ctx.content_rect().height() - 160.0;
    let (close, veil) = modal(ctx, "Messages", 600.0, None, |ui| {
        title(ui, "Messages since the window opened");
        if state.toasts.past().is_empty() {
            super::export::paragraph(ui, "There was none.");
        }
        egui::ScrollArea::vertical().max_height(room).min_scrolled_height(room).auto_shrink([false, true]).show(
            ui,
            |ui| {
                egui::Frame::new().inner_margin(egui::Margin::symmetric(16, 0)).show(ui, |ui| {
                    ui.set_width(ui.available_width());
                    ui.spacing_mut().item_spacing = Vec2::ZERO;
                    for past in state.toasts.past().iter().rev() {
                        let when = format::ago(past.at, state.wall);
                        let advice = if past.advice.is_empty() { String::new() } else { format!(" {}", past.advice) };
                        let what = past.what.trim_end_matches('.');
                        let level = match (past.failed, past.remark) {
                            (true, _) => "error",
                            (false, true) => "info",
                            (false, false) => "ok",
                        };
                        remark(ui, level, &format!("{when}: {what}.{advice}"));
                    }
                });
            },
        );
        let (done, _) = super::export::foot(ui, state, "", "Done", Ok(()));
        done
    });
    (!close && !veil).then_some(Dialog::Messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_what_is_set() {
        let form = |threads: &str, memory: &str| SettingsForm {
            threads: threads.to_owned(),
            memory: memory.to_owned(),
            ..SettingsForm::default()
        };
        assert_eq!(parse(&form("", "")), Ok(EngineSettings::default()));
        let settings = EngineSettings { threads: 4, memory: Some((1.5 * GIB) as u64) };
        assert_eq!(parse(&form("4", "1,5")), Ok(settings));
        assert_eq!(typed(settings), ("4".to_owned(), "1.5".to_owned()));
        assert!(
            parse(&form("many", "")).is_err() && parse(&form("", "-1")).is_err() && parse(&form("", "nan")).is_err()
        );
    }
}
