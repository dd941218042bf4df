//! What colours the map: by cluster, damage, taken, or any column; the choice, the colours per point, and the legend.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use egui::{Color32, Rect, Ui, Vec2, pos2};
use paser_protocol::{ColumnKind, ReasonCode};

use crate::{
    format,
    map::{CROSS_STROKE, Paint, Points, RING_STROKE, Signs, Thinning, thinning::HELD},
    recovery::DamageLeft,
    state::{AppState, ColourBy},
    theme::Look,
    widgets::{self, Words, field::dropdown, look, ramp_bar, row},
};

/// What the colours of the map depend on.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    points: u64,
    dark: bool,
    colour: ColourBy,
    brush: u64,
    marks: u64,
    /// Keys of the columns that it is made from.
    columns: Vec<String>,
    /// The words that were searched for; a sorted table finds the same rows.
    found: Option<String>,
    /// What an arm has left of the damage, where that is the colour.
    left: Option<DamageLeft>,
    /// A column or the rows found are still on their way.
    pending: bool,
}

/// What decides which points are left out: the points, and the column of their clusters.
type ThinnedBy = (u64, Option<String>);

/// The colours of the last frame, made again when anything they depend on changed.
#[derive(Default)]
pub struct Cache {
    last: RefCell<Option<(Key, Rc<Paint>)>>,
    /// A brush leaves them as they are.
    colours: RefCell<Option<(Key, Rc<Vec<Color32>>)>>,
    thinning: RefCell<Option<(ThinnedBy, Thinning)>>,
    next_id: Cell<u64>,
}

impl Cache {
    pub fn get(&self, state: &mut AppState, points: &Points, look: &'static Look) -> Rc<Paint> {
        let (columns, columns_pending) = columns(state);
        let (found, found_pending) = match state.table.found().map(|(words, key)| (words.to_owned(), key.to_owned())) {
            Some((words, key)) => {
                // Looking at them asks for them: else they would be no news when they arrive.
                state.data.indices(&key);
                (Some(words), state.data.is_pending(&key))
            }
            None => (None, false),
        };
        let key = Key {
            points: points.id,
            dark: look.dark,
            colour: state.colour.clone(),
            brush: state.focus.version,
            marks: state.marks_version,
            columns,
            found,
            left: (state.colour == ColourBy::DamageLeft).then(|| state.recovery.damage_left()).flatten(),
            pending: columns_pending || found_pending,
        };
        if let Some((made, paint)) = &*self.last.borrow() {
            // What is on its way leaves the colours as they are.
            let waits = key.pending && made.points == key.points && made.dark == key.dark;
            if *made == key || waits {
                return paint.clone();
            }
        }
        self.next_id.set(self.next_id.get() + 1);
        let paint = Rc::new(self.make(state, points, look, &key));
        *self.last.borrow_mut() = Some((key, paint.clone()));
        paint
    }

    fn make(&self, state: &mut AppState, points: &Points, look: &Look, key: &Key) -> Paint {
        let count = points.places.len();
        let clusters = state.row_clusters();
        let cluster_of = |row: usize| clusters.as_ref().and_then(|c| c.get(row).copied()).filter(|c| *c != u32::MAX);
        let key = Key { brush: 0, found: None, ..key.clone() };
        let known = self.colours.borrow().as_ref().filter(|(made, _)| *made == key).map(|(_, colours)| colours.clone());
        let colours = known.unwrap_or_else(|| {
            let made = colours(state, count, look, &cluster_of).unwrap_or_else(|| vec![look.neither; count]);
            self.colours.borrow_mut().insert((key, Rc::new(made))).1.clone()
        });
        let mut faded = state.focus.faded(count, &cluster_of);
        let mut signs = signs(state, points, look);
        let found = state.table.found().map(|(_, key)| key.to_owned());
        if let Some(rows) = found.and_then(|key| state.data.indices(&key)) {
            let mut found = vec![false; count];
            for row in rows.iter() {
                if let Some(found) = found.get_mut(*row as usize) {
                    *found = true;
                }
            }
            let places = points.places.iter().zip(&found).filter(|(place, found)| **found && place.is_finite());
            signs.found = places.map(|(place, _)| *place).step_by(rows.len().div_ceil(RINGS).max(1)).collect();
            for (faded, found) in faded.iter_mut().zip(found) {
                *faded |= !found;
            }
        }
        let mut held = self.thinning.borrow_mut();
        if points.order.len() > HELD {
            let column = state.column_info("cluster").map(|column| column.key.clone());
            let by = (points.id, column.filter(|_| clusters.is_some()));
            if held.as_ref().is_none_or(|(made, _)| *made != by) {
                *held = Some((by, Thinning::new(points, clusters.as_ref().map(|clusters| clusters.as_slice()))));
            }
        } else {
            *held = None;
        }
        let thinning = held.as_ref().map(|(_, thinning)| thinning);
        Paint::new(points, colours, faded, thinning, self.next_id.get()).with_signs(signs)
    }
}

/// Asks for what the colours are made from.
pub fn ask(state: &mut AppState) {
    columns(state);
}

/// The keys of the columns that the colours are made from, and whether one of them is still on its way.
fn columns(state: &mut AppState) -> (Vec<String>, bool) {
    let mut names = vec!["cluster".to_owned()];
    match &state.colour {
        ColourBy::Damage => names.push("jsd".to_owned()),
        ColourBy::Column(name) => names.push(name.clone()),
        ColourBy::Cluster | ColourBy::ClusterDamage | ColourBy::Taken | ColourBy::DamageLeft => {}
    }
    let mut keys: Vec<String> =
        names.iter().filter_map(|name| state.column_info(name).map(|column| column.key.clone())).collect();
    if state.colour == ColourBy::Taken {
        keys.extend(state.build.selection.as_ref().map(|selection| selection.reason_column.clone()));
    }
    // Looking at them asks for them.
    state.row_clusters();
    match state.colour.clone() {
        ColourBy::Damage => drop(state.numbers("jsd")),
        ColourBy::Taken => drop(state.reasons()),
        ColourBy::Column(name) => drop(column(state, &name)),
        ColourBy::Cluster | ColourBy::ClusterDamage | ColourBy::DamageLeft => {}
    }
    let pending = keys.iter().any(|key| state.data.is_pending(key));
    (keys, pending)
}

/// A column that is a colour, once it has arrived.
enum Values {
    Numbers(Rc<Vec<f32>>, f32, f32),
    Labels(Rc<Vec<u32>>),
}

fn column(state: &mut AppState, name: &str) -> Option<Values> {
    let info = state.column_info(name)?.clone();
    match info.kind {
        ColumnKind::Number { minimum, maximum } => {
            Some(Values::Numbers(state.data.numbers(&info.key)?, minimum, maximum))
        }
        ColumnKind::Category { .. } => Some(Values::Labels(state.data.indices(&info.key)?)),
        ColumnKind::Codes | ColumnKind::Positions => None,
    }
}

/// Rings that are drawn at most. They lead the eye to points that stand alone; more of them would cover the colours of
/// what was found, and what was not is grey in any case.
const RINGS: usize = 100;

/// Diamonds of pins and crosses of exclusions.
fn signs(state: &AppState, points: &Points, look: &Look) -> Signs {
    let places = |rows: &[u32]| {
        let place = |row: &u32| points.places.get(*row as usize).copied().filter(|place| place.is_finite());
        rows.iter().filter_map(place).collect()
    };
    let (pinned, excluded) = match &state.project {
        Some(project) => (places(&project.curation.pinned), places(&project.curation.excluded)),
        None => (Vec::new(), Vec::new()),
    };
    Signs {
        pinned,
        excluded,
        found: Vec::new(),
        ring: look.text,
        ring_size: look.map.found_size,
        pin: look.pinned,
        cross: look.excluded,
        pin_size: look.map.pin_size,
        cross_size: look.map.cross_size,
    }
}

fn colours(
    state: &mut AppState,
    count: usize,
    look: &Look,
    cluster_of: &dyn Fn(usize) -> Option<u32>,
) -> Option<Vec<Color32>> {
    let scale = state.damage_scale() as f32;
    let by_cluster = |colour: &dyn Fn(&paser_protocol::ClusterView) -> Color32| {
        let mut table: Vec<Option<Color32>> = Vec::new();
        for cluster in state.clusters() {
            let place = cluster.cluster as usize;
            table.resize(table.len().max(place + 1), None);
            table[place] = Some(colour(cluster));
        }
        (0..count)
            .map(|row| cluster_of(row).and_then(|c| *table.get(c as usize)?).unwrap_or(look.neither))
            .collect::<Vec<_>>()
    };
    let ramp = |values: &[f32], share: &dyn Fn(f32) -> Color32| {
        (0..count)
            .map(|row| values.get(row).copied().filter(|value| value.is_finite()).map_or(look.neither, share))
            .collect::<Vec<_>>()
    };
    Some(match state.colour.clone() {
        ColourBy::Cluster => by_cluster(&|cluster| look.cluster(cluster.colour)),
        ColourBy::ClusterDamage => {
            by_cluster(&|cluster| cluster.cds.map_or(look.neither, |cds| look.damage(cds as f32 / scale)))
        }
        ColourBy::DamageLeft => {
            let left = state.recovery.damage_left()?;
            let value = |cluster: u32| left.clusters.get(&cluster).map(|left| left.nats as f32);
            by_cluster(&|cluster| value(cluster.cluster).map_or(look.neither, |value| look.damage(value / scale)))
        }
        ColourBy::Damage => {
            let values = state.numbers("jsd")?;
            ramp(&values, &|value| look.damage(value / scale))
        }
        ColourBy::Taken => {
            let reasons = state.reasons()?;
            let taken = |row: usize| {
                reasons.get(row).and_then(|code| ReasonCode::from_byte(*code)).is_some_and(ReasonCode::is_taken)
            };
            (0..count).map(|row| if taken(row) { look.a_fill } else { look.neither }).collect()
        }
        ColourBy::Column(name) => match column(state, &name)? {
            Values::Numbers(values, ..) if is_damage(&name) => ramp(&values, &|value| look.damage(value / scale)),
            Values::Numbers(values, minimum, maximum) => {
                let width = (maximum - minimum).max(f32::MIN_POSITIVE);
                ramp(&values, &|value| look.sequential((value - minimum) / width))
            }
            Values::Labels(labels) => {
                (0..count).map(|row| labels.get(row).map_or(look.neither, |label| look.cluster(*label))).collect()
            }
        },
    })
}

/// Divergences wear the damage ramp and its scale, in every view.
fn is_damage(name: &str) -> bool {
    name.starts_with("jsd")
}

/// Can a column be a colour?
fn is_colour(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::Number { .. } | ColumnKind::Category { .. })
}

/// The words on the face of the choice.
pub(crate) fn shown(state: &AppState) -> String {
    let what = match &state.colour {
        ColourBy::Cluster => "cluster".to_owned(),
        ColourBy::Damage => "damage".to_owned(),
        ColourBy::ClusterDamage => "cluster damage".to_owned(),
        ColourBy::Taken => "taken".to_owned(),
        ColourBy::DamageLeft => left_words(state),
        ColourBy::Column(name) => state.column_info(name).map_or_else(|| name.clone(), |column| column.label.clone()),
    };
    format!("colour: {what}")
}

/// `damage left at step 96`
fn left_words(state: &AppState) -> String {
    match state.recovery.damage_left() {
        Some(left) => format!("damage left at step {}", format::count(u64::from(left.step))),
        None => "damage left".to_owned(),
    }
}

/// Room that the choice wants for its words.
pub fn choice_width(ui: &Ui, state: &AppState) -> f32 {
    Words::new(ui).t(shown(state)).galley(ui, f32::INFINITY, 1).size().x + 34.0
}

/// `room`: the most that it may take.
pub fn choice(ui: &mut Ui, state: &mut AppState, room: f32) {
    let mut entries = vec![
        (ColourBy::Cluster, "cluster".to_owned(), "from the manifold".to_owned()),
        (ColourBy::Damage, "damage".to_owned(), "per sample".to_owned()),
        (ColourBy::ClusterDamage, "cluster damage".to_owned(), "mean per cluster".to_owned()),
        (ColourBy::Taken, "taken".to_owned(), "or not".to_owned()),
    ];
    if let Some(left) = state.recovery.damage_left() {
        entries.push((ColourBy::DamageLeft, left_words(state), format!("by {}", left.arm)));
    }
    let columns = state.project.as_ref().map_or(&[][..], |project| &project.columns);
    for column in columns.iter().filter(|c| is_colour(&c.kind) && c.name != "cluster" && c.name != "jsd") {
        entries.push((ColourBy::Column(column.name.clone()), column.label.clone(), column.unit.clone()));
    }
    let chosen = entries.iter().position(|(colour, ..)| *colour == state.colour);
    let lines: Vec<_> = entries.iter().map(|(_, label, more)| (label.as_str(), more.as_str())).collect();
    let width = (choice_width(ui, state) > room).then_some(room);
    let (response, picked) = dropdown(ui, "Colour of the map", &shown(state), 22.0, width, &lines, chosen);
    state.note("colour", response.rect);
    if let Some(place) = picked {
        state.colour = entries[place].0.clone();
    }
}

/// At the lower left of the map: what colours and signs mean. The rectangle that it takes.
pub fn legend(ui: &mut Ui, body: Rect, state: &mut AppState, signs: &Signs) -> Rect {
    let line = Rect::from_min_max(
        pos2(body.left() + 10.0, body.bottom() - 26.0),
        pos2(body.right() - 10.0, body.bottom() - 6.0),
    );
    let ground = ui.painter().add(egui::Shape::Noop);
    let right = row(ui, line, 6.0, |ui| {
        meaning(ui, state, signs);
        ui.min_rect().right()
    });
    if right <= line.left() {
        return Rect::NOTHING;
    }
    let whole = Rect::from_min_max(line.min, pos2(right, line.bottom())).expand2(Vec2::new(4.0, 0.0));
    ui.painter().set(ground, egui::Shape::rect_filled(whole, 0.0, look(ui).canvas.gamma_multiply(0.85)));
    state.note("legend", whole);
    whole
}

fn meaning(ui: &mut Ui, state: &mut AppState, signs: &Signs) {
    let look = look(ui);
    let damage = format!("{}+", trimmed(state.damage_scale()));
    match state.colour.clone() {
        ColourBy::Cluster => marks(ui, state, signs),
        ColourBy::Damage | ColourBy::ClusterDamage => ramp_line(ui, "damage, nats", look.damage_stops(), "0", &damage),
        ColourBy::DamageLeft => {
            let by = state.recovery.damage_left().map_or_else(String::new, |left| format!(", {}", left.arm));
            ramp_line(ui, &format!("{}{by}, nats", left_words(state)), look.damage_stops(), "0", &damage);
        }
        ColourBy::Taken => swatches(ui, &[(look.a_fill, "taken"), (look.neither, "not taken")]),
        ColourBy::Column(name) => {
            let Some(info) = state.column_info(&name).cloned() else { return };
            match info.kind {
                ColumnKind::Number { .. } if is_damage(&name) => {
                    ramp_line(ui, &format!("{}, nats", info.label), look.damage_stops(), "0", &damage);
                }
                ColumnKind::Number { minimum, maximum } => {
                    let unit = if info.unit.is_empty() { String::new() } else { format!(", {}", info.unit) };
                    let words = format!("{}{unit}", info.label);
                    let (low, high) = (trimmed(f64::from(minimum)), trimmed(f64::from(maximum)));
                    ramp_line(ui, &words, look.sequential_stops(), &low, &high);
                }
                ColumnKind::Category { labels } => {
                    let mut shown: Vec<_> = (0_u32..)
                        .zip(&labels)
                        .take(12)
                        .map(|(place, label)| (look.cluster(place), label.as_str()))
                        .collect();
                    let rest = format!("{} more", labels.len().saturating_sub(12));
                    if labels.len() > 12 {
                        shown.push((look.neither, &rest));
                    }
                    swatches(ui, &shown);
                }
                _ => {}
            }
        }
    }
}

fn trimmed(value: f64) -> String {
    let text = format::decimal(value, if value.abs() >= 100.0 { 0 } else { 3 });
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Narrow maps get a shorter ramp, and at last no words.
fn ramp_line(ui: &mut Ui, words: &str, stops: &[Color32], low: &str, high: &str) {
    let ends = Words::new(ui).num2(low).num2(high).galley(ui, f32::INFINITY, 1).size().x + 12.0;
    let step = ((ui.available_width() - ends) / stops.len() as f32).clamp(3.0, 14.0);
    let room = ui.available_width() - ends - step * stops.len() as f32 - 6.0;
    if room > 40.0 {
        Words::new(ui).part(words, crate::theme::small(), look(ui).text_2).show_in(ui, room, 1);
    }
    ramp_bar(ui, stops, low, high, step);
}

fn swatches(ui: &mut Ui, entries: &[(Color32, &str)]) {
    for (colour, text) in entries {
        let words = Words::new(ui).part(text, crate::theme::small(), look(ui).text_2);
        if ui.available_width() < 40.0 {
            break;
        }
        let width = ui.available_width() - 20.0;
        widgets::swatch(ui, *colour);
        words.show_in(ui, width.min(140.0), 1);
        ui.add_space(6.0);
    }
}

/// Rings, pins and crosses, where there are any on the map.
fn marks(ui: &mut Ui, state: &AppState, signs: &Signs) {
    let look = look(ui);
    let found = if signs.found.is_empty() { 0 } else { state.table.count().unwrap_or_default() };
    let entries = [
        ("found", found, signs.ring),
        ("pinned", signs.pinned.len() as u64, signs.pin),
        ("excluded", signs.excluded.len() as u64, signs.cross),
    ];
    for (word, count, colour) in entries.into_iter().filter(|(_, count, _)| *count > 0) {
        let words =
            Words::of(look).part(format!("{word} "), crate::theme::small(), look.text_2).num2(format::count(count));
        if ui.available_width() < 15.0 + words.clone().galley(ui, f32::INFINITY, 1).size().x {
            break;
        }
        let centre = ui.allocate_exact_size(Vec2::splat(9.0), egui::Sense::hover()).0.center();
        match word {
            "found" => {
                ui.painter().circle_stroke(centre, 4.0, egui::Stroke::new(RING_STROKE, colour));
            }
            "pinned" => {
                let corners = [(0.0, -4.0), (4.0, 0.0), (0.0, 4.0), (-4.0, 0.0)].map(|(x, y)| centre + Vec2::new(x, y));
                ui.painter().add(egui::Shape::convex_polygon(corners.to_vec(), colour, egui::Stroke::NONE));
            }
            _ => {
                let stroke = egui::Stroke::new(CROSS_STROKE, colour);
                ui.painter().line_segment([centre - Vec2::splat(3.0), centre + Vec2::splat(3.0)], stroke);
                ui.painter().line_segment([centre + Vec2::new(3.0, -3.0), centre + Vec2::new(-3.0, 3.0)], stroke);
            }
        }
        words.show(ui);
        ui.add_space(8.0);
    }
}

#[cfg(test)]
mod tests {
    use paser_protocol::{ColumnInfo, ProjectView, encode_u32};

    use super::*;
    use crate::data::Shape;

    fn project() -> ProjectView {
        let columns = vec![ColumnInfo {
            key: "cluster-1".to_owned(),
            name: "cluster".to_owned(),
            label: "cluster".to_owned(),
            unit: String::new(),
            kind: ColumnKind::Category { labels: vec!["a".to_owned()] },
        }];
        let empty = serde_json::json!({
            "name": "", "path": "", "demo": false, "revision": 1, "dense": "", "pruned": "", "pruning": "",
            "template": "", "device": "", "recipe": "", "pool": paser_protocol::PoolView::default(), "stages": [],
            "manifold": null, "clusters": [], "damage_scale": 0.4, "columns": columns, "selections": [],
            "plan": paser_protocol::SelectionPlan::default(), "curation": paser_protocol::CurationView::default(),
            "job": null, "comparison": null,
        });
        serde_json::from_value(empty).expect("a project without anything")
    }

    /// A search for `words` was answered under `key`; its rows have arrived, or not yet.
    fn search(state: &mut AppState, words: &str, key: &str, rows: Option<&[u32]>) {
        state.table.search_answered(words, key);
        if let Some(rows) = rows {
            state.data.indices(key);
            state.data.column_arrived(key, Shape::Indices, encode_u32(rows));
        }
    }

    #[test]
    fn of_very_many_hits_only_some_have_a_ring() {
        let places: Vec<f32> = (0..20_000).map(|place| place as f32).collect();
        let (points, look) = (Points::new(&places, 1), Look::of(true));
        let mut state = AppState { project: Some(Rc::new(project())), ..AppState::default() };
        state.row_clusters();
        state.data.column_arrived("cluster-1", Shape::Indices, encode_u32(&[0; 10_000]));
        let found: Vec<u32> = (0..9_000).collect();
        search(&mut state, "river", "rows-1", Some(&found));
        let rings = Cache::default().get(&mut state, &points, look).signs.found.len();
        assert!((RINGS / 2..=RINGS).contains(&rings), "{rings}");
    }

    #[test]
    fn the_map_is_coloured_anew_for_what_it_shows_and_not_for_a_sorted_table() {
        let (points, look) = (Points::new(&[0.0, 0.0, 1.0, 1.0], 1), Look::of(true));
        let mut state = AppState { project: Some(Rc::new(project())), ..AppState::default() };
        let cache = Cache::default();
        state.row_clusters();
        state.data.column_arrived("cluster-1", Shape::Indices, encode_u32(&[0, 0]));
        let first = cache.get(&mut state, &points, look);
        assert_eq!(first.faded, [false, false]);

        // Rows of the table arrive in another order.
        state.data.column_arrived("rows-1", Shape::Indices, encode_u32(&[1, 0]));
        assert!(Rc::ptr_eq(&first, &cache.get(&mut state, &points, look)));

        search(&mut state, "river", "rows-2", None);
        assert!(Rc::ptr_eq(&first, &cache.get(&mut state, &points, look)), "nothing flickers while rows are fetched");
        search(&mut state, "river", "rows-2", Some(&[1]));
        let found = cache.get(&mut state, &points, look);
        assert_eq!(found.faded, [true, false]);
        assert_eq!(found.signs.found, [points.places[1]]);

        search(&mut state, "river", "rows-3", None);
        assert!(Rc::ptr_eq(&found, &cache.get(&mut state, &points, look)));
        search(&mut state, "river", "rows-3", Some(&[1]));
        assert!(Rc::ptr_eq(&found, &cache.get(&mut state, &points, look)), "the same rows in another order");

        state.focus.set_brush(crate::state::Brush::Clusters([7].into()));
        assert_eq!(cache.get(&mut state, &points, look).faded, [true, true]);
    }
}
