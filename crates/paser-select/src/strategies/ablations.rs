//! Which part of the method each member of the `paser` family keeps: the guarded form and the three ablations
//! (section 4 of the method).

use paser_protocol::{Guard, Strategy, Weight};

use crate::frame::Grouping;
use crate::params::SelectParams;

/// The parts of the method in force.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Variant {
    /// Labels that stand for capabilities.
    pub grouping: Grouping,
    pub guard: Guard,
    /// What the budget is spread by.
    pub weight: Weight,
    /// True: clusters by falling damage, samples by falling efficiency. False: clusters by id, samples at random.
    pub damage_orders: bool,
    /// Share of known pairs that must be linked; `None` leaves the concept graph out.
    pub strictness: Option<f64>,
}

pub(crate) fn variant(params: &SelectParams) -> Variant {
    let paser = Variant {
        grouping: Grouping::Clusters,
        guard: params.guard,
        weight: params.weight,
        damage_orders: true,
        strictness: params.concepts.on.then_some(params.concepts.strictness),
    };
    match params.strategy {
        Strategy::PaserGuarded => Variant { guard: Guard::Tukey, ..paser },
        Strategy::PaserNoS2ric => Variant { grouping: Grouping::KMeans, ..paser },
        Strategy::PaserNoCdais => Variant { weight: Weight::Uniform, damage_orders: false, ..paser },
        Strategy::PaserNoNtem => Variant { strictness: None, ..paser },
        _ => paser,
    }
}
