//! The numbers of what is brushed: size, damage, quota, the histogram of damage per sample, and the concepts that set
//! it apart. Without a brush: one sentence that says where pruning hurt most.

use egui::{Align2, Popup, Rect, Stroke, Ui, Vec2, pos2};
use paser_protocol::ClusterView;

use super::cluster_menu;
use crate::{
    format,
    glossary::Place,
    state::{AppState, Brush},
    theme::{Look, icons},
    widgets::{Words, button::icon_button_sized, chip, column, look, pane::section_head, row},
};

/// Room that the part below the bars wants.
pub fn wanted_height(state: &AppState) -> f32 {
    if *state.focus.brush() == Brush::Nothing { 96.0 } else { 300.0 }
}

/// `sorted`: worst first.
pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState, sorted: &[&ClusterView]) {
    let brushed: Vec<&ClusterView> = match state.focus.brush() {
        Brush::Nothing => {
            first_words(ui, rect, state, sorted);
            return;
        }
        Brush::Clusters(brushed) => sorted.iter().copied().filter(|c| brushed.contains(&c.cluster)).collect(),
        Brush::Rows(_) => {
            box_words(ui, rect, state, sorted);
            return;
        }
    };
    column(ui, rect, |ui| {
        egui::ScrollArea::vertical().id_salt("cluster").auto_shrink(false).show(ui, |ui| {
            ui.set_width(rect.width());
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            inset(ui, 8.0, |ui| numbers(ui, state, &brushed));
            line(ui);
            inset(ui, 6.0, |ui| histogram(ui, state, &brushed, sorted));
            line(ui);
            inset(ui, 6.0, |ui| concepts(ui, &brushed));
        });
    });
}

fn inset<R>(ui: &mut Ui, y: f32, contents: impl FnOnce(&mut Ui) -> R) -> R {
    egui::Frame::new()
        .inner_margin(egui::Margin::symmetric(10, y as i8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            contents(ui)
        })
        .inner
}

fn line(ui: &mut Ui) {
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 1.0), egui::Sense::hover());
    ui.painter().rect_filled(rect, 0.0, look(ui).line);
}

/// Where pruning hurt most, and what to do next.
fn first_words(ui: &mut Ui, rect: Rect, state: &AppState, sorted: &[&ClusterView]) {
    let scored: Vec<_> = sorted.iter().filter_map(|c| c.cds.map(|cds| (*c, cds))).collect();
    let inside = rect.shrink2(Vec2::new(10.0, 0.0));
    column(ui, inside, |ui| {
        ui.add_space(14.0);
        let worst = scored.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        let least = scored.iter().min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some(scored) = state.project.as_ref().and_then(|project| project.scored_so_far) {
            let (scored, all) = (format::count(scored), format::count(state.samples()));
            let words = Words::new(ui).t2("So far from ").num2(scored).t2(" of ").num2(all).t2(" samples.");
            words.wrapped(ui);
            ui.add_space(6.0);
        } else if let (Some((worst, high)), Some((least, low))) = (worst, least)
            && worst.cluster != least.cluster
        {
            let mut words = Words::new(ui).t2("Pruning hurt ").strong(&worst.name).t2(" most");
            if *low > 0.0 {
                words = words.t2(format!(": {} times as much as ", format::decimal(high / low, 1))).strong(&least.name);
            }
            words.t2(".").wrapped(ui);
            ui.add_space(6.0);
        }
        Words::new(ui).t3("Click a bar, or draw a box on the map, to see its samples.").wrapped(ui);
    });
}

/// Two columns of name and number.
pub fn pairs(ui: &mut Ui, place: Place, entries: &[(&str, Words)]) {
    for two in entries.chunks(2) {
        let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 19.0), egui::Sense::hover());
        let middle = rect.center().y;
        for (column, (name, value)) in two.iter().enumerate() {
            let left = rect.left() + column as f32 * (rect.width() / 2.0 + 6.0);
            let width = rect.width() / 2.0 - 6.0;
            let name_rect = Words::new(ui).t3(name).paint(ui, pos2(left, middle), Align2::LEFT_CENTER, width);
            let from = (left + 62.0).max(name_rect.right() + 8.0);
            let shown = value.clone().paint(ui, pos2(from, middle), Align2::LEFT_CENTER, left + width - from);
            let said = crate::widgets::say(ui, name_rect.union(shown), format!("{name} {}", value.text()));
            crate::widgets::explain(said, place, name);
        }
    }
}

fn numbers(ui: &mut Ui, state: &mut AppState, brushed: &[&ClusterView]) {
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 22.0), egui::Sense::hover());
    let mut left = rect.left();
    let title = match brushed {
        [one] => {
            let square = Rect::from_center_size(pos2(left + 4.5, rect.center().y), Vec2::splat(9.0));
            ui.painter().rect_filled(square, 2.0, look.cluster(one.colour));
            left += 17.0;
            one.name.clone()
        }
        many => format!("{} clusters", many.len()),
    };
    let more = Rect::from_center_size(pos2(rect.right() - 10.0, rect.center().y), Vec2::splat(20.0));
    let response = row(ui, more, 0.0, |ui| {
        let name = if brushed.len() == 1 { "What to do with this cluster" } else { "What to do with these clusters" };
        icon_button_sized(ui, icons::DOTS_THREE, name, false, None, Vec2::splat(20.0))
    });
    state.note("cluster menu", response.rect);
    let owned: Vec<ClusterView> = brushed.iter().map(|cluster| (*cluster).clone()).collect();
    Popup::menu(&response).accessible_name("Clusters").show(|ui| cluster_menu::show(ui, state, &owned));
    let width = more.left() - left - 4.0;
    Words::of(look).strong(title).at(ui, pos2(left, rect.center().y), Align2::LEFT_CENTER, width);
    if let [one] = brushed {
        cluster_menu::by_hand_words(ui, one);
    }
    ui.add_space(2.0);
    let sum = |part: fn(&ClusterView) -> u64| brushed.iter().map(|c| part(c)).sum::<u64>();
    let scored = sum(|c| c.scored);
    let mean = |part: fn(&ClusterView) -> Option<f64>| {
        (scored > 0).then(|| {
            brushed.iter().filter_map(|c| part(c).map(|value| value * c.scored as f64)).sum::<f64>() / scored as f64
        })
    };
    let number = |text: String| Words::of(look).num(text);
    let mut entries = vec![
        ("samples", number(format::count(sum(|c| c.samples)))),
        ("tokens", number(format::short(sum(|c| c.tokens)))),
    ];
    let ids: Vec<u32> = brushed.iter().map(|c| c.cluster).collect();
    let provisional = state.build.provisional.as_ref();
    if let Some(selection) = &state.build.selection {
        let rows = || selection.ledger.iter().filter(|row| ids.contains(&row.cluster));
        let quota: u64 = match provisional {
            Some(provisional) => {
                provisional.rows.iter().filter(|row| ids.contains(&row.cluster)).map(|row| row.quota).sum()
            }
            None => rows().map(|row| row.quota).sum(),
        };
        let taken: u64 = rows().map(|row| row.pinned + row.taken + row.refilled).sum();
        entries.push(("quota", number(format::short(quota))));
        if provisional.is_none() {
            entries.push(("taken", Words::of(look).num_a(format::short(taken))));
        } else {
            entries.push(("taken", Words::of(look).t3("at rest")));
        }
    }
    if let Some(damage) = mean(|c| c.cds) {
        entries.push(("damage", number(format::nats(damage)).small(" nats")));
    }
    if let [one] = brushed
        && let (Some(low), Some(high)) = (one.cds_low, one.cds_high)
    {
        let half = (high - low) / 2.0;
        // Of thousands of samples the mean is known to less than a thousandth.
        let digits = if half < 0.001 { 5 } else { 3 };
        entries.push(("interval", number(format!("± {}", format::decimal(half, digits)))));
    }
    if let Some(rest) = mean(|c| c.cds_rest) {
        entries.push(("after first", number(format::nats(rest))));
    }
    entries.push(("scored", number(format::count(scored))));
    pairs(ui, Place::Brush, &entries);
}

/// Damage per sample of the brushed clusters, with the whole pool as a line.
fn histogram(ui: &mut Ui, state: &AppState, brushed: &[&ClusterView], all: &[&ClusterView]) {
    let add = |clusters: &[&ClusterView]| {
        let mut bins = [0.0_f64; 24];
        for cluster in clusters {
            for (bin, count) in bins.iter_mut().zip(&cluster.histogram) {
                *bin += f64::from(*count);
            }
        }
        let sum = bins.iter().sum::<f64>().max(1.0);
        bins.map(|bin| bin / sum)
    };
    let (mine, pool) = (add(brushed), add(all));
    if mine.iter().all(|bin| *bin == 0.0) {
        return;
    }
    section_head(ui, "Damage per sample", Some(Words::new(ui).small("line: whole pool")));
    draw_histogram(ui, &mine, &pool, state.damage_scale());
}

fn draw_histogram(ui: &mut Ui, mine: &[f64; 24], pool: &[f64; 24], scale: f64) {
    let look = look(ui);
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 52.0 + 16.0), egui::Sense::hover());
    let plot = Rect::from_min_size(rect.min, Vec2::new(rect.width(), 52.0));
    let most = mine.iter().chain(pool).copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let width = plot.width() / 24.0;
    let height = |bin: f64| (bin / most) as f32 * plot.height();
    for (place, bin) in mine.iter().enumerate() {
        let left = plot.left() + place as f32 * width;
        let bar =
            Rect::from_min_max(pos2(left + 0.5, plot.bottom() - height(*bin)), pos2(left + width - 0.5, plot.bottom()));
        ui.painter().rect_filled(bar, 0.0, look.damage((place as f32 + 0.5) / 24.0));
    }
    let line: Vec<_> = pool
        .iter()
        .enumerate()
        .map(|(place, bin)| pos2(plot.left() + (place as f32 + 0.5) * width, plot.bottom() - height(*bin)))
        .collect();
    ui.painter().add(egui::Shape::line(line, Stroke::new(1.5, look.text_2)));
    ui.painter().hline(plot.x_range(), plot.bottom() + 0.5, Stroke::new(1.0, look.axis));
    axis(ui, look, plot, scale);
}

fn axis(ui: &Ui, look: &'static Look, plot: Rect, scale: f64) {
    let y = plot.bottom() + 9.0;
    let text = |text: String| Words::of(look).part(text, crate::theme::mono_small(), look.text_3);
    text("0".to_owned()).paint(ui, pos2(plot.left(), y), Align2::LEFT_CENTER, 60.0);
    text(format::decimal(scale / 2.0, 2)).paint(ui, pos2(plot.center().x, y), Align2::CENTER_CENTER, 60.0);
    text(format!("{}+ nats", format::decimal(scale, 2))).paint(ui, pos2(plot.right(), y), Align2::RIGHT_CENTER, 90.0);
}

fn concepts(ui: &mut Ui, brushed: &[&ClusterView]) {
    let each = if brushed.len() == 1 { 12 } else { (16 / brushed.len().max(1)).max(2) };
    let words: Vec<&String> = brushed.iter().flat_map(|cluster| cluster.concepts.iter().take(each)).collect();
    if words.is_empty() {
        return;
    }
    section_head(ui, "Concepts", None);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = Vec2::new(4.0, 4.0);
        for word in words {
            chip(ui, word);
        }
    });
}

/// A box: how many, how damaged, and from which clusters.
fn box_words(ui: &mut Ui, rect: Rect, state: &mut AppState, sorted: &[&ClusterView]) {
    let look = look(ui);
    let Some(stats) = state.box_stats() else { return };
    column(ui, rect.shrink2(Vec2::new(10.0, 0.0)), |ui| {
        ui.add_space(10.0);
        let words = match state.focus.source() {
            Some(paser_protocol::EditSource::Region { .. }) => "region of the map",
            Some(_) => "samples found",
            None => "brushed samples",
        };
        Words::new(ui).strong(words).show(ui);
        ui.add_space(4.0);
        let number = |text: String| Words::of(look).num(text);
        let mut entries = vec![("samples", number(format::count(stats.samples)))];
        entries.push(("clusters", number(format::count(stats.clusters.len() as u64))));
        if let Some(taken) = stats.taken {
            entries.push(("taken", Words::of(look).num_a(format::count(taken))));
        }
        if let Some(damage) = stats.damage {
            entries.push(("damage", number(format::nats(damage)).small(" nats")));
            entries.push(("scored", number(format::count(stats.scored))));
        }
        pairs(ui, Place::Brush, &entries);
        ui.add_space(8.0);
        section_head(ui, "Their clusters", None);
        let mut order: Vec<_> = stats.clusters.iter().map(|(cluster, count)| (*cluster, *count)).collect();
        order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let most = order.first().map_or(1, |(_, count)| *count).max(1);
        for (id, count) in order.into_iter().take(6) {
            let cluster = sorted.iter().find(|cluster| cluster.cluster == id);
            let (name, colour) =
                cluster.map_or(("no cluster", look.neither), |c| (c.name.as_str(), look.cluster(c.colour)));
            let (line, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 20.0), egui::Sense::hover());
            let middle = line.center().y;
            let square = Rect::from_center_size(pos2(line.left() + 4.5, middle), Vec2::splat(9.0));
            ui.painter().rect_filled(square, 2.0, colour);
            Words::of(look).t(name).paint(ui, pos2(line.left() + 15.0, middle), Align2::LEFT_CENTER, 140.0);
            // Seven characters and more need the room that the bars of fewer have.
            let room = if format::count(most).len() > 6 { 66.0 } else { 90.0 };
            let width = (room * count as f32 / most as f32).max(1.0);
            let bar = Rect::from_min_size(pos2(line.left() + 160.0, middle - 4.0), Vec2::new(width, 8.0));
            ui.painter().rect_filled(bar, 0.0, look.text_3);
            Words::of(look).num(format::count(count)).paint(ui, line.right_center(), Align2::RIGHT_CENTER, 60.0);
            crate::widgets::say(ui, line, format!("{name} {}", format::count(count)));
        }
        if stats.clusters.len() > 6 {
            Words::new(ui).t3(format!("and {} more clusters", stats.clusters.len() - 6)).show(ui);
        }
    });
}
