//! Items by group: the clusters that held-out samples lie in, and the capabilities of files.

use paser_protocol::{GroupInfo, Measure, MetricInfo};

use crate::{
    session::Loaded,
    stages::recover::{NO_ROW, Reference},
};

/// What is followed, in the order of every view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    Loss,
    Damage,
    Answers,
}

impl Metric {
    pub(crate) const ALL: [Self; 3] = [Self::Loss, Self::Damage, Self::Answers];

    pub(crate) fn info(self) -> MetricInfo {
        let (metric, name, unit, higher_is_better) = match self {
            Self::Loss => ("held-out-loss", "held-out loss", "nats per token", false),
            Self::Damage => ("damage-left", "damage left", "nats", false),
            Self::Answers => ("answer-match", "answer match", "share", true),
        };
        MetricInfo { metric: metric.to_owned(), name: name.to_owned(), unit: unit.to_owned(), higher_is_better }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.info().metric == name)
    }

    /// Values of the dense model by item.
    pub(crate) fn dense(self, reference: &Reference) -> Vec<f64> {
        match self {
            Self::Loss => floats(&reference.loss_dense),
            Self::Damage => vec![0.0; reference.rows.len()],
            Self::Answers => marks(&reference.answered_dense),
        }
    }

    /// The same of the pruned model.
    pub(crate) fn pruned(self, reference: &Reference) -> Vec<f64> {
        match self {
            Self::Loss => floats(&reference.loss_pruned),
            Self::Damage => floats(&reference.jsd),
            Self::Answers => marks(&reference.answered_pruned),
        }
    }
}

pub(crate) fn floats(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

pub(crate) fn marks(values: &[u8]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// Items of each group.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    pub infos: Vec<GroupInfo>,
    /// Places of its items, ascending.
    pub items: Vec<Vec<usize>>,
    /// All items.
    pub all: usize,
}

impl Groups {
    pub(crate) fn of(reference: &Reference, loaded: &Loaded) -> Self {
        let mut groups = Self { infos: Vec::new(), items: Vec::new(), all: reference.rows.len() };
        let clusters = loaded.clusters();
        let label = |row: u32| clusters.and_then(|clusters| clusters.labels.get(row as usize).copied());
        let names = loaded.names();
        let held: Vec<(usize, Option<u32>)> = (reference.rows.iter().enumerate())
            .filter(|(_, row)| **row != NO_ROW)
            .map(|(item, row)| (item, label(*row)))
            .collect();
        let mut present: Vec<u32> = held.iter().filter_map(|(_, cluster)| *cluster).collect();
        present.sort_unstable();
        present.dedup();
        for cluster in present {
            let items = held.iter().filter(|(_, of)| *of == Some(cluster)).map(|(item, _)| *item).collect();
            let name = names.and_then(|names| names.get(cluster as usize)).cloned();
            groups.push(name.unwrap_or_else(|| format!("cluster {cluster}")), items, Some(cluster));
        }
        for (place, name) in reference.names.iter().enumerate().skip(1) {
            let of = |(item, group): (usize, &u32)| {
                (*group as usize == place && reference.rows[item] == NO_ROW).then_some(item)
            };
            let items = reference.groups.iter().enumerate().filter_map(of).collect();
            groups.push(name.clone(), items, None);
        }
        groups
    }

    fn push(&mut self, name: String, items: Vec<usize>, cluster: Option<u32>) {
        self.infos.push(GroupInfo { name, items: items.len() as u64, cluster });
        self.items.push(items);
    }

    /// Means over all items, then by group.
    pub(crate) fn means(&self, values: &[f64]) -> Vec<Option<f64>> {
        let mean = |values: &mut dyn Iterator<Item = f64>| {
            let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
            (count > 0).then(|| sum / count as f64)
        };
        let whole = mean(&mut values.iter().copied());
        let each = self.items.iter().map(|items| mean(&mut items.iter().map(|item| values[*item])));
        std::iter::once(whole).chain(each).collect()
    }

    /// Values over all items, then by group.
    pub(crate) fn parts(&self, values: &[f64]) -> Vec<Vec<f64>> {
        let each = self.items.iter().map(|items| items.iter().map(|item| values[*item]).collect());
        std::iter::once(values.to_vec()).chain(each).collect()
    }

    /// Means of a model's values with their intervals over items.
    pub(crate) fn measures(&self, values: &[f64], metric: Metric) -> Vec<Option<Measure>> {
        self.parts(values).iter().map(|values| over_items(values, metric)).collect()
    }
}

/// A mean over items with its 95 % interval: Wilson's for answers, the normal one for the rest.
fn over_items(values: &[f64], metric: Metric) -> Option<Measure> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if metric == Metric::Answers {
        let (low, high) = paser_eval::stats::wilson(values.iter().sum::<f64>() as u64, values.len() as u64);
        return Some(Measure { value: mean, low, high });
    }
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let half = 1.96 * (variance / n).sqrt();
    Some(Measure { value: mean, low: mean - half, high: mean + half })
}
