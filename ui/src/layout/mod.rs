//! Where the panes of a work place stand: lines, columns and tabs of panes, as they are saved and taken back. Lengths are
//! points, and only those that a person set; `sizes` works out the rest, `tree` speaks to the tiling library.

mod pane;
mod sizes;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};

pub use pane::Pane;
pub(crate) use sizes::GAP;
pub(crate) use tree::{Change, RULES, TAB_BAR, Tiled};

use crate::state::{Panels, Screen};

/// A pane, or several of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Node {
    Pane(Pane),
    /// From left to right.
    Row(Vec<Part>),
    /// From top to bottom.
    Column(Vec<Part>),
    /// In one place; the one in front by its number.
    Tabs {
        parts: Vec<Node>,
        front: usize,
    },
}

/// What stands in a row or a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub node: Node,
    /// Its width in a row, its height in a column, points; none where nobody changed it.
    #[serde(default)]
    pub points: Option<f32>,
}

impl From<Node> for Part {
    fn from(node: Node) -> Self {
        Self { node, points: None }
    }
}

impl From<Pane> for Part {
    fn from(pane: Pane) -> Self {
        Node::Pane(pane).into()
    }
}

impl Node {
    /// What a work place looks like at first; none for the other screens.
    pub fn of(screen: Screen) -> Option<Self> {
        use Pane::{
            Arms, Clusters, Contents, Curves, Damage, Inspector, Map, Maps, Outcome, Overlap, Selections, Table,
            Verdict,
        };
        let column = |parts: [Part; 2]| Part::from(Self::Column(parts.into()));
        let row = |parts: [Part; 2]| Part::from(Self::Row(parts.into()));
        match screen {
            Screen::Explore => {
                let middle = column([Map.into(), Table.into()]);
                Some(Self::Row(vec![Contents.into(), Damage.into(), middle, Inspector.into()]))
            }
            Screen::Compare => {
                let middle = column([Maps.into(), row([Overlap.into(), Clusters.into()])]);
                Some(Self::Row(vec![Selections.into(), middle, Inspector.into()]))
            }
            Screen::Recover => {
                let shown = Self::Tabs { parts: vec![Self::Pane(Outcome), Self::Pane(Map)], front: 0 };
                Some(Self::Column(vec![row([Curves.into(), shown.into()]), row([Arms.into(), Verdict.into()])]))
            }
            Screen::Welcome | Screen::NewProject => None,
        }
    }

    fn children(&self) -> Vec<&Self> {
        match self {
            Self::Pane(_) => Vec::new(),
            Self::Row(parts) | Self::Column(parts) => parts.iter().map(|part| &part.node).collect(),
            Self::Tabs { parts, .. } => parts.iter().collect(),
        }
    }

    /// All of its panes, in order.
    pub fn panes(&self) -> Vec<Pane> {
        match self {
            Self::Pane(pane) => vec![*pane],
            _ => self.children().into_iter().flat_map(Self::panes).collect(),
        }
    }

    /// Is any of its panes unfolded?
    fn is_shown(&self, unfolded: &BTreeSet<Pane>) -> bool {
        self.panes().iter().any(|pane| unfolded.contains(pane))
    }

    /// The unfolded panes that no other tab hides.
    pub fn on_screen(&self, unfolded: &BTreeSet<Pane>) -> BTreeSet<Pane> {
        match self {
            Self::Pane(pane) => unfolded.get(pane).copied().into_iter().collect(),
            Self::Tabs { parts, front } => {
                let open = parts.get(*front).into_iter().chain(parts).find(|part| part.is_shown(unfolded));
                open.map(|part| part.on_screen(unfolded)).unwrap_or_default()
            }
            _ => self.children().into_iter().flat_map(|child| child.on_screen(unfolded)).collect(),
        }
    }

    /// Makes every tab that holds `pane` the one in front.
    pub fn bring_to_front(&mut self, pane: Pane) {
        match self {
            Self::Pane(_) => {}
            Self::Row(parts) | Self::Column(parts) => {
                parts.iter_mut().for_each(|part| part.node.bring_to_front(pane));
            }
            Self::Tabs { parts, front } => {
                if let Some(place) = parts.iter().position(|part| part.panes().contains(&pane)) {
                    *front = place;
                    parts[place].bring_to_front(pane);
                }
            }
        }
    }

    /// Without lengths and without which tab is in front: has anything moved?
    pub(crate) fn is_arranged_as(&self, other: &Self) -> bool {
        let same =
            |a: &[Part], b: &[Part]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.node.is_arranged_as(&b.node));
        match (self, other) {
            (Self::Pane(a), Self::Pane(b)) => a == b,
            (Self::Row(a), Self::Row(b)) | (Self::Column(a), Self::Column(b)) => same(a, b),
            (Self::Tabs { parts: a, .. }, Self::Tabs { parts: b, .. }) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_arranged_as(b))
            }
            _ => false,
        }
    }

    /// Are its lengths and its tabs possible?
    fn is_sound(&self) -> bool {
        let parts = match self {
            Self::Pane(_) => return true,
            Self::Row(parts) | Self::Column(parts) => parts,
            Self::Tabs { parts, front } => return *front < parts.len() && parts.iter().all(Self::is_sound),
        };
        let length = |part: &Part| part.points.is_none_or(|points| points.is_finite() && points > 0.0);
        !parts.is_empty() && parts.iter().all(|part| length(part) && part.node.is_sound())
    }

    /// Could it be the layout of `screen`? It has to hold each of its panes once.
    fn fits(&self, screen: Screen) -> bool {
        let sorted = |node: &Self| {
            let mut panes = node.panes();
            panes.sort_unstable();
            panes
        };
        Self::of(screen).is_some_and(|first| sorted(&first) == sorted(self)) && self.is_sound()
    }
}

/// The layouts that a person changed, by work place.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Layouts(BTreeMap<Screen, Node>);

impl Layouts {
    /// The layout of a work place; none for the other screens.
    pub fn of(&self, screen: Screen) -> Option<Node> {
        self.0.get(&screen).cloned().or_else(|| Node::of(screen))
    }

    /// True where that changed anything.
    pub fn set(&mut self, screen: Screen, layout: Node) -> bool {
        let before = self.0.remove(&screen);
        if Node::of(screen).as_ref() != Some(&layout) {
            self.0.insert(screen, layout);
        }
        before.as_ref() != self.0.get(&screen)
    }

    pub fn reset(&mut self, screen: Screen) {
        self.0.remove(&screen);
    }

    pub fn bring_to_front(&mut self, screen: Screen, pane: Pane) {
        if let Some(mut layout) = self.of(screen) {
            layout.bring_to_front(pane);
            self.set(screen, layout);
        }
    }
}

/// A layout of another version, or one that does not hold the panes of its work place, gives way to the first one: the
/// rest of what was saved is still good.
impl<'de> Deserialize<'de> for Layouts {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let serde_json::Value::Object(saved) = serde_json::Value::deserialize(from)? else {
            log::warn!("the saved layouts cannot be read: the first ones are shown");
            return Ok(Self::default());
        };
        let mut layouts = Self::default();
        for (name, layout) in saved {
            let screen = serde_json::from_value::<Screen>(name.as_str().into());
            match (screen, serde_json::from_value::<Node>(layout)) {
                (Ok(screen), Ok(layout)) if layout.fits(screen) => {
                    layouts.set(screen, layout);
                }
                _ => log::warn!("the saved layout of {name} cannot be read: the first one is shown"),
            }
        }
        Ok(layouts)
    }
}

/// All that a step of the layout can change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrangement {
    pub panels: Panels,
    pub layouts: Layouts,
}

impl Arrangement {
    /// Where `from` and `to` differ, becomes as in `to`: what was folded or moved since stays.
    pub fn turn(&mut self, from: &Self, to: &Self) {
        macro_rules! turn {
            ($($field:ident),*) => {
                $(if from.panels.$field != to.panels.$field {
                    self.panels.$field.clone_from(&to.panels.$field);
                })*
            };
        }
        turn!(damage, table, inspector, ledger, job, contents, left, after_first_token);
        let screens: BTreeSet<Screen> = from.layouts.0.keys().chain(to.layouts.0.keys()).copied().collect();
        for screen in screens {
            let (before, after) = (from.layouts.0.get(&screen), to.layouts.0.get(&screen));
            if before == after {
                continue;
            }
            match after {
                Some(layout) => self.layouts.0.insert(screen, layout.clone()),
                None => self.layouts.0.remove(&screen),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Layouts {
        serde_json::from_str(text).expect("a layout never keeps the rest from being read")
    }

    #[test]
    fn a_layout_comes_back_as_it_was_saved() {
        let mut layouts = Layouts::default();
        let tabs = Node::Tabs { parts: vec![Node::Pane(Pane::Map), Node::Pane(Pane::Table)], front: 1 };
        let inspector = Part { node: Node::Pane(Pane::Inspector), points: Some(400.0) };
        let layout = Node::Row(vec![Pane::Contents.into(), Pane::Damage.into(), tabs.into(), inspector]);
        assert!(layouts.set(Screen::Explore, layout.clone()));
        let text = serde_json::to_string(&layouts).expect("it is plain data");
        assert_eq!(read(&text), layouts, "{text}");
        assert_eq!(read(&text).of(Screen::Compare), Node::of(Screen::Compare));
        assert!(!layouts.set(Screen::Explore, layout));
    }

    #[test]
    fn a_layout_that_cannot_be_leaves_the_first_one() {
        let row = r#"{"row":[{"node":{"pane":"contents"}},{"node":{"pane":"damage"}},{"node":{"pane":"map"}},{"node":{"pane":"table"}},{"node":{"pane":"inspector"}}]}"#;
        assert_ne!(read(&format!(r#"{{"explore":{row}}}"#)), Layouts::default(), "this one can be");
        for broken in [
            "7".to_owned(),
            r#"{"explore":{"pane":"map"}}"#.to_owned(),
            format!(r#"{{"compare":{row}}}"#),
            format!(r#"{{"another":{row}}}"#),
            format!(r#"{{"explore":{}}}"#, row.replace("inspector", "map")),
            format!(r#"{{"explore":{}}}"#, row.replace("inspector", "curves")),
            format!(r#"{{"explore":{}}}"#, row.replace(r#""map"}"#, r#""map"},"points":-3"#)),
            r#"{"explore":{"tabs":{"parts":[],"front":0}}}"#.to_owned(),
        ] {
            assert_eq!(read(&broken), Layouts::default(), "{broken}");
        }
    }

    #[test]
    fn a_step_back_leaves_alone_what_it_did_not_change() {
        let before = Arrangement::default();
        let mut after = before.clone();
        after.panels.table = true;
        let mut now = after.clone();
        now.panels.after_first_token = true;
        now.panels.inspector = true;
        now.turn(&after, &before);
        assert!(!now.panels.table && now.panels.after_first_token && now.panels.inspector);
    }
}
