//! A layout as a tree of the tiling library, made anew for every frame, and the way back once a person changed it. The
//! library knows shares only: they are set to points, so that panes keep their lengths while the window or a neighbour
//! changes.

use std::collections::{BTreeMap, BTreeSet};

use egui::{Id, Rect, Vec2};
use egui_tiles::{Container, Linear, LinearDir, SimplificationOptions, Tabs, Tile, TileId, Tiles, Tree};

use super::{
    Node, Pane, Part,
    sizes::{LEAST, Window, lengths},
};
use crate::state::Screen;

/// Height of the line of tabs over panes that share a place, points.
pub(crate) const TAB_BAR: f32 = 26.0;
/// Groups are numbered from here, in the order of the layout; panes have numbers below.
const GROUPS: u64 = 100;

pub(crate) const RULES: SimplificationOptions = SimplificationOptions {
    prune_empty_tabs: true,
    prune_empty_containers: true,
    prune_single_child_tabs: true,
    prune_single_child_containers: true,
    all_panes_must_have_tabs: false,
    join_nested_linear_containers: true,
    flatten_tabs_in_tabs: true,
};

/// What a part was laid out with.
struct Given {
    dir: LinearDir,
    points: Option<f32>,
    share: f32,
    flexible: bool,
}

/// A layout, laid out.
pub(crate) struct Tiled {
    pub tree: Tree<Pane>,
    given: BTreeMap<u64, Given>,
}

/// How a person changed the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Moved,
    Resized,
    /// The panes on both sides of an edge want their own lengths again.
    Released([TileId; 2]),
}

/// The line between two neighbours in a row or a column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    group: TileId,
    pub dir: LinearDir,
    pub sides: [TileId; 2],
    pub rects: [Rect; 2],
}

impl Tiled {
    pub fn new(screen: Screen, layout: &Node, size: Vec2, unfolded: &BTreeSet<Pane>, wide: bool) -> Self {
        let mut build =
            Build { tiles: Tiles::default(), given: BTreeMap::new(), window: Window { unfolded, wide }, next: GROUPS };
        let root = build.node(layout, size);
        for pane in layout.panes() {
            build.tiles.set_visible(tile(pane), unfolded.contains(&pane));
        }
        build.tiles.recompute_next_tile_id();
        Self { tree: Tree::new(Id::unique(("tiles", screen.name())), root, build.tiles), given: build.given }
    }

    /// The layout as the tree has it now; none where nothing is left of it.
    pub fn layout(&mut self, change: Option<Change>) -> Option<Node> {
        self.tree.simplify(&RULES);
        self.node(self.tree.root?, change)
    }

    /// The lines between the panes on screen, outer ones first.
    pub fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        let mut groups: Vec<TileId> = self.tree.root.into_iter().collect();
        while let Some(group) = groups.pop() {
            let Some(Tile::Container(container)) = self.tree.tiles.get(group) else { continue };
            groups.extend(container.children());
            let Container::Linear(linear) = container else { continue };
            // A tile that is not laid out has no place.
            let place = |child: &TileId| Some((*child, self.tree.tiles.rect(*child)?));
            let shown: Vec<(TileId, Rect)> = linear.children.iter().filter_map(place).collect();
            edges.extend(shown.windows(2).map(|pair| Edge {
                group,
                dir: linear.dir,
                sides: [pair[0].0, pair[1].0],
                rects: [pair[0].1, pair[1].1],
            }));
        }
        edges
    }

    /// Moves an edge to the right or down by so many points, as far as the panes that it meets can give way.
    pub fn push(&mut self, edge: &Edge, by: f32) {
        let unfolded = |child: &TileId| self.tree.tiles.is_visible_in_layout(*child);
        let Some(Tile::Container(Container::Linear(linear))) = self.tree.tiles.get(edge.group) else { return };
        let mut linear = linear.clone();
        let shown: Vec<TileId> = linear.children.iter().copied().filter(unfolded).collect();
        let Some(at) = shown.iter().position(|child| *child == edge.sides[1]) else { return };
        let (before, after) = shown.split_at(at);
        let (grows, shrink): (TileId, Vec<TileId>) = match by > 0.0 {
            true => (edge.sides[0], after.to_vec()),
            false => (edge.sides[1], before.iter().rev().copied().collect()),
        };
        let mut left = by.abs();
        for child in shrink {
            let gives = (linear.shares[child] - LEAST).clamp(0.0, left);
            linear.shares[child] -= gives;
            linear.shares[grows] += gives;
            left -= gives;
        }
        self.tree.tiles.insert(edge.group, Tile::Container(Container::Linear(linear)));
    }

    fn node(&self, id: TileId, change: Option<Change>) -> Option<Node> {
        Some(match self.tree.tiles.get(id)? {
            Tile::Pane(pane) => Node::Pane(*pane),
            Tile::Container(Container::Tabs(tabs)) => {
                let front = tabs.children.iter().position(|child| tabs.is_active(*child)).unwrap_or(0);
                let parts = tabs.children.iter().filter_map(|child| self.node(*child, change)).collect();
                Node::Tabs { parts, front }
            }
            Tile::Container(Container::Linear(linear)) => {
                let part = |child: &TileId| {
                    Some(Part { node: self.node(*child, change)?, points: self.points(linear, *child, change) })
                };
                let parts = linear.children.iter().filter_map(part).collect();
                match linear.dir {
                    LinearDir::Horizontal => Node::Row(parts),
                    LinearDir::Vertical => Node::Column(parts),
                }
            }
            // Nothing here makes one.
            Tile::Container(Container::Grid(grid)) => {
                Node::Row(grid.children().filter_map(|child| Some(self.node(*child, change)?.into())).collect())
            }
        })
    }

    fn points(&self, linear: &Linear, child: TileId, change: Option<Change>) -> Option<f32> {
        let share = linear.shares[child];
        match self.given.get(&child.0) {
            Some(given) if given.dir == linear.dir => {
                let touched = (share - given.share).abs() > 0.01;
                match change {
                    Some(Change::Resized) if touched && !given.flexible => Some(share.round()),
                    Some(Change::Released(sides)) if sides.contains(&child) => None,
                    _ => given.points,
                }
            }
            Some(_) => None,
            // A new group stands where the pane stood that it was made around, and is as long.
            None if child.0 >= GROUPS && share > 1.0 => Some(share.round()),
            None => None,
        }
    }
}

/// Panes have the same number wherever they stand: what they remember moves with them.
fn tile(pane: Pane) -> TileId {
    TileId::from_u64(pane as u64 + 1)
}

struct Build<'a> {
    tiles: Tiles<Pane>,
    given: BTreeMap<u64, Given>,
    window: Window<'a>,
    next: u64,
}

impl Build<'_> {
    fn node(&mut self, node: &Node, size: Vec2) -> TileId {
        let (id, tile) = match node {
            Node::Pane(pane) => (tile(*pane), Tile::Pane(*pane)),
            Node::Row(parts) => self.line(parts, size, LinearDir::Horizontal),
            Node::Column(parts) => self.line(parts, size, LinearDir::Vertical),
            Node::Tabs { parts, front } => {
                let id = self.group();
                let inside = Vec2::new(size.x, (size.y - TAB_BAR).max(0.0));
                let children: Vec<TileId> = parts.iter().map(|part| self.node(part, inside)).collect();
                let active = children.get(*front).copied();
                (id, Tile::Container(Container::Tabs(Tabs { children, active })))
            }
        };
        self.tiles.insert(id, tile);
        id
    }

    fn line(&mut self, parts: &[Part], size: Vec2, dir: LinearDir) -> (TileId, Tile<Pane>) {
        let id = self.group();
        let room = if dir == LinearDir::Horizontal { size.x } else { size.y };
        let (lengths, flexible) = lengths(parts, room, dir, self.window);
        let mut linear = Linear::new(dir, Vec::new());
        for (at, (part, share)) in parts.iter().zip(lengths).enumerate() {
            let inside = if dir == LinearDir::Horizontal { Vec2::new(share, size.y) } else { Vec2::new(size.x, share) };
            let child = self.node(&part.node, inside);
            linear.children.push(child);
            linear.shares.set_share(child, share);
            let given = Given { dir, points: part.points, share, flexible: flexible == Some(at) };
            self.given.insert(child.0, given);
        }
        (id, Tile::Container(Container::Linear(linear)))
    }

    fn group(&mut self) -> TileId {
        self.next += 1;
        TileId::from_u64(self.next)
    }
}
