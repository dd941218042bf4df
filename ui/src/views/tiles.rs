//! The panes of a work place, tiled: edges and heads that can be dragged, tabs where panes share a place. What a person
//! changes becomes the work place's layout; the look is ours.

use std::{collections::BTreeSet, sync::Arc};

use egui::{Color32, CursorIcon, Id, Painter, Rect, Response, Sense, Stroke, StrokeKind, Style, Ui, Vec2, Visuals};
use egui_tiles::{
    Behavior, ContainerKind, EditAction, LinearDir, ResizeState, SimplificationOptions, TabState, Tile, TileId, Tiles,
    UiResponse,
};

use crate::{
    layout::{Change, Pane, RULES, TAB_BAR, Tiled},
    state::{AppState, Screen},
    theme::Look,
    widgets::{focus_ring, look, pane::HEAD},
};

/// How far from an edge it can be taken, before and behind it, points. A box on the map may begin near its corner.
const GRAB: [f32; 2] = [3.0, 1.0];

/// Draws one pane of a work place.
pub type Draw<'a> = dyn FnMut(&mut Ui, Pane, Rect, &mut AppState) + 'a;

pub fn show(ui: &mut Ui, rect: Rect, state: &mut AppState, screen: Screen, draw: &mut Draw<'_>) {
    let Some(layout) = state.layouts.of(screen) else { return };
    let unfolded = state.unfolded();
    let mut tiled = Tiled::new(screen, &layout, rect.size(), &unfolded, state.wide);
    let tiles = &tiled.tree.tiles;
    let visible = tiles.tile_ids().filter(|id| tiles.is_visible_in_layout(*id)).map(|id| id.0).collect();
    let alone = |dragged: &TileId| {
        let parent = tiles.parent_of(*dragged).and_then(|parent| tiles.get(parent));
        parent.and_then(Tile::kind) != Some(ContainerKind::Tabs)
    };
    let mut behavior = Panes {
        at_home: tiled.tree.dragged_id(ui.ctx()).filter(alone),
        state,
        draw,
        visible: &visible,
        style: ui.style().clone(),
        ground: ui.stack().bg_color(),
        dropped: false,
        home: None,
        tab: false,
    };
    let mut place = ui.new_child(egui::UiBuilder::new().id_salt(screen.name()).max_rect(rect));
    tiled.tree.ui(&mut behavior, &mut place);
    let home = behavior.home.is_some_and(|home| ui.input(|input| is_over(home, input)));
    let (dropped, tab) = (behavior.dropped && !home, behavior.tab);
    // A file shows the layout and leaves it alone.
    if state.for_file {
        return;
    }
    state.dragging_pane = tiled.tree.dragged_id(ui.ctx()).is_some();
    let change = if dropped { Some(Change::Moved) } else { edges(&mut place, state, &mut tiled) };
    if (change.is_some() || tab)
        && let Some(after) = tiled.layout(change)
    {
        if change.is_none() {
            state.layouts.set(screen, after);
        } else {
            let words = if layout.is_arranged_as(&after) { "panes resized" } else { "panes moved" };
            state.arrange(words, |state| {
                state.layouts.set(screen, after);
            });
        }
    }
    // What is dragged in one go is one step.
    if !ui.input(|input| input.pointer.any_down()) {
        state.history.layout_rests();
    }
}

fn is_over(rect: Rect, input: &egui::InputState) -> bool {
    input.pointer.interact_pos().is_some_and(|pointer| rect.contains(pointer))
}

/// The edges between panes, over their rims: what is done with them.
fn edges(ui: &mut Ui, state: &mut AppState, tiled: &mut Tiled) -> Option<Change> {
    let look = look(ui);
    let mut change = None;
    for (at, edge) in tiled.edges().iter().enumerate() {
        let [before, after] = edge.rects;
        let upright = edge.dir == LinearDir::Horizontal;
        let line = match upright {
            true => Rect::from_min_max(before.right_top(), after.left_bottom()),
            false => Rect::from_min_max(before.left_bottom(), after.right_top()),
        };
        let [before_it, behind_it] = GRAB.map(|far| if upright { Vec2::new(far, 0.0) } else { Vec2::new(0.0, far) });
        let reach = Rect::from_min_max(line.min - before_it, line.max + behind_it);
        let response = ui.interact(reach, ui.scope_id().with(("edge", at)), Sense::CLICK | Sense::DRAG);
        let [first, second] = edge.sides.map(|side| Panes::name(&tiled.tree.tiles, side));
        let name = format!("Edge between {first} and {second}");
        response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Splitter, true, &name));
        state.note(format!("edge:{first}|{second}"), line);
        if response.hovered() || response.dragged() {
            let ink = if response.dragged() { look.accent } else { look.text_3 };
            ui.painter().rect_filled(line, 0.0, ink);
            ui.set_cursor_icon(if upright { CursorIcon::ResizeHorizontal } else { CursorIcon::ResizeVertical });
        }
        if response.double_clicked() {
            change = Some(Change::Released(edge.sides));
        } else if response.dragged()
            && let Some(pointer) = ui.input(|input| input.pointer.interact_pos())
        {
            let by = if upright { pointer.x.floor() - before.right() } else { pointer.y.floor() - before.bottom() };
            tiled.push(edge, by);
            change = Some(Change::Resized);
        }
    }
    change
}

/// Two columns of dots at the left end of a head.
fn grip(ui: &Ui, head: Rect, hovered: bool) {
    let ink = if hovered { look(ui).text } else { look(ui).text_3 };
    for (x, y) in [(0.0, -4.0), (0.0, 0.0), (0.0, 4.0), (3.0, -4.0), (3.0, 0.0), (3.0, 4.0)] {
        ui.painter().circle_filled(head.left_center() + Vec2::new(3.5 + x, y), 1.0, ink);
    }
}

/// Below the tabs the library lays a handle for all of them, under this name, and says nothing of it to screen readers.
fn name_background(ui: &Ui) {
    let id = ui.scope_id().with("background");
    if ui.ctx().read_response(id).is_some() {
        ui.ctx().accesskit_node_builder(id, |node| {
            node.set_role(egui::accesskit::Role::TitleBar);
            node.set_label("Tabs");
        });
    }
}

struct Panes<'a> {
    state: &'a mut AppState,
    draw: &'a mut Draw<'a>,
    /// Numbers of the tiles that have room.
    visible: &'a BTreeSet<u64>,
    /// Tiles begin with the style of the window, not of the page.
    style: Arc<Style>,
    /// What lies under the page: lists fade into it.
    ground: Color32,
    dropped: bool,
    /// A pane that is dragged and shares its place with no other: over that it has not moved.
    at_home: Option<TileId>,
    home: Option<Rect>,
    /// Another tab came to the front.
    tab: bool,
}

impl Panes<'_> {
    fn look(visuals: &Visuals) -> &'static Look {
        Look::of(visuals.dark_mode)
    }

    /// Names of the panes that are not folded.
    fn name(tiles: &Tiles<Pane>, id: TileId) -> String {
        match tiles.get(id) {
            Some(Tile::Pane(pane)) => pane.name().to_owned(),
            Some(Tile::Container(group)) => {
                let shown = group.children().filter(|child| tiles.is_visible(**child));
                let names = shown.map(|child| Self::name(tiles, *child)).filter(|name| !name.is_empty());
                names.collect::<Vec<_>>().join(", ")
            }
            None => String::new(),
        }
    }
}

impl Behavior<Pane> for Panes<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, tile: TileId, pane: &mut Pane) -> UiResponse {
        let rect = ui.max_rect();
        // By its own name: what a pane remembers moves with it.
        let builder = egui::UiBuilder::new().scope_id(Id::unique(("pane", *pane))).max_rect(rect);
        let info = egui::UiStackInfo { frame: egui::Frame::new().fill(self.ground), ..Default::default() };
        let ui = &mut ui.new_child(builder.style(self.style.clone()).ui_stack_info(info));
        let head = Rect::from_min_size(rect.min, Vec2::new(rect.width(), HEAD));
        // Below the controls of the head. A press alone is no drag yet: it has to move.
        let handle = ui.interact(head, Id::unique(("head", *pane)), Sense::CLICK | Sense::DRAG);
        handle.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::TitleBar, true, pane.name()));
        self.state.note(format!("head:{}", pane.name()), head);
        if self.at_home == Some(tile) {
            self.home = Some(rect);
        }
        (self.draw)(ui, *pane, rect, self.state);
        if !self.state.for_file {
            grip(ui, head, handle.hovered());
        }
        let started = handle.drag_started();
        handle.on_hover_cursor(CursorIcon::Grab).on_hover_text("Drag to move this pane");
        if started { UiResponse::DragStarted } else { UiResponse::None }
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> egui::WidgetText {
        pane.name().into()
    }

    fn tab_ui(&mut self, tiles: &mut Tiles<Pane>, ui: &mut Ui, id: Id, tile: TileId, tab: &TabState) -> Response {
        let (look, name) = (look(ui), Self::name(tiles, tile));
        name_background(ui);
        let font = if tab.active { crate::theme::body_strong() } else { crate::theme::body() };
        let galley = ui.painter().layout_no_wrap(name.clone(), font, Color32::PLACEHOLDER);
        let (_, rect) = ui.allocate_space(Vec2::new(galley.size().x + 20.0, TAB_BAR));
        let response = ui.interact(rect, id, Sense::click_and_drag()).on_hover_cursor(CursorIcon::Grab);
        let spoken = || egui::WidgetInfo::selected(egui::accesskit::Role::Tab, true, tab.active, &name);
        response.widget_info(spoken);
        let ink = if tab.active || response.hovered() { look.text } else { look.text_2 };
        ui.painter().galley_with_override_text_color(rect.center() - galley.size() / 2.0, galley, ink);
        if tab.active {
            ui.painter().hline(rect.x_range(), rect.bottom() - 1.0, Stroke::new(2.0, look.accent));
        }
        focus_ring(ui, &response, rect.shrink(3.0));
        self.state.note(format!("tab of {name}"), rect);
        response
    }

    /// The line below the tabs; nothing stands right of them.
    fn top_bar_right_ui(&mut self, _: &Tiles<Pane>, ui: &mut Ui, _: TileId, _: &egui_tiles::Tabs, _: &mut f32) {
        let bar = ui.max_rect();
        ui.painter().hline(bar.x_range(), bar.bottom() - 0.5, Stroke::new(1.0, look(ui).line));
    }

    fn drag_ui(&mut self, tiles: &Tiles<Pane>, ui: &mut Ui, tile: TileId) {
        let look = look(ui);
        egui::Frame::new()
            .fill(look.overlay)
            .stroke(Stroke::new(1.0, look.edge))
            .inner_margin(egui::Margin::symmetric(10, 5))
            .show(ui, |ui| crate::widgets::Words::of(look).strong(Self::name(tiles, tile)).show(ui));
    }

    fn tab_bar_height(&self, _: &Style) -> f32 {
        TAB_BAR
    }

    /// A pane that is alone in its place has its head, and needs no tab.
    fn is_tab_bar_visible(&self, _: TileId, tabs: &egui_tiles::Tabs) -> bool {
        tabs.children.iter().filter(|child| self.visible.contains(&child.0)).count() > 1
    }

    fn gap_width(&self, _: &Style) -> f32 {
        crate::layout::GAP
    }

    fn simplification_options(&self) -> SimplificationOptions {
        RULES
    }

    /// The library's edges have no name for screen readers, and stand in the way of Tab: ours are in [`edges`].
    fn is_container_resizable(&self, _: &Tiles<Pane>, _: TileId) -> bool {
        false
    }

    /// The ground between panes is the line.
    fn resize_stroke(&self, _: &Style, _: ResizeState) -> Stroke {
        Stroke::NONE
    }

    fn tab_bar_color(&self, visuals: &Visuals) -> Color32 {
        Self::look(visuals).raised
    }

    fn dragged_overlay_color(&self, visuals: &Visuals) -> Color32 {
        Self::look(visuals).canvas.gamma_multiply(0.6)
    }

    fn paint_drag_preview(&self, visuals: &Visuals, painter: &Painter, _: Option<Rect>, preview: Rect) {
        let accent = Self::look(visuals).accent;
        if self.home.is_some_and(|home| painter.ctx().input(|input| is_over(home, input))) {
            return;
        }
        painter.rect(preview, 0.0, accent.gamma_multiply(0.15), Stroke::new(1.0, accent), StrokeKind::Inside);
    }

    /// Browsers keep Ctrl+Tab for themselves.
    fn cycle_tabs_with_keyboard(&self) -> bool {
        false
    }

    fn on_edit(&mut self, action: EditAction) {
        match action {
            EditAction::TileDropped => self.dropped = true,
            EditAction::TabSelected => self.tab = true,
            EditAction::TileDragged | EditAction::TileResized => {}
        }
    }
}
