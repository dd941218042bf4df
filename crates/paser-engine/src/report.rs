//! The project as one offline HTML file: map, damage bars and ledger as SVG and tables, no script, nothing fetched.
//! It needs nothing but what a face sees: the project's view, two columns and the selection.

use std::{
    fmt::Write as _,
    sync::{Arc, atomic::AtomicBool},
};

use paser_protocol::{ClusterView, ProjectView, ReasonCode, SelectionView, decode_f32, decode_u32};

use crate::{session::Session, trouble::Outcome};

/// The palette of the light theme (`ui/src/theme/tokens.toml`): the first twelve clusters by size.
const CLUSTERS: [&str; 12] = [
    "#2e9bdb", "#6d9159", "#8d5795", "#9c6b14", "#63273c", "#4861d5", "#207053", "#670f85", "#cd5581", "#a19718",
    "#35968e", "#af1b3e",
];
const BEYOND: &str = "#b6bcc5";
const BAR: &str = "#c93d56";
pub(crate) const STYLE: &str = "body{font:13px/1.5 Inter,system-ui,sans-serif;color:#15181d;background:#fff;max-width:1080px;\
margin:32px auto;padding:0 24px}h1{font-size:22px;margin:0}h2{font-size:15px;margin:32px 0 8px}p{margin:4px 0;color:#434a55}\
table{border-collapse:collapse;width:100%}th{font-size:11px;font-weight:400;color:#59616d;text-align:right}\
td{text-align:right;border-top:1px solid #dde0e5;font-family:'JetBrains Mono',ui-monospace,monospace;font-size:12px;padding:3px 6px}\
th{padding:3px 6px}td:first-child,th:first-child{text-align:left;font-family:inherit}svg{display:block;max-width:100%}\
.dot{display:inline-block;width:9px;height:9px;border-radius:2px;margin-right:6px}";

impl Session {
    /// The project as it stands, with the selection of its current plan where scores allow one.
    ///
    /// # Errors
    /// An artefact that cannot be read; a selection that cannot be made.
    pub fn report_html(&self, cancelled: &AtomicBool) -> Outcome<String> {
        let view = self.view();
        let bytes = |name: &str| match view.columns.iter().find(|column| column.name == name) {
            Some(column) => self.column(&column.key),
            None => Ok(Arc::default()),
        };
        let (positions, clusters) = (decode_f32(&bytes("map")?), decode_u32(&bytes("cluster")?));
        let selection = if self.loaded().scores.is_some() { Some(self.select(&view.plan, cancelled)?) } else { None };
        let reasons = match &selection {
            Some(selection) => self.column(&selection.reason_column)?,
            None => Arc::default(),
        };
        Ok(html(&view, &positions, &clusters, selection.as_ref(), &reasons))
    }
}

/// Writes the report. `positions` are x, y per sample; `clusters` its cluster; `reasons` one `ReasonCode` byte each.
/// Columns of the wrong length are left out of the map.
pub fn html(
    view: &ProjectView,
    positions: &[f32],
    clusters: &[u32],
    selection: Option<&SelectionView>,
    reasons: &[u8],
) -> String {
    let mut page = String::with_capacity(positions.len() * 40 + (1 << 16));
    let name = escape(&view.name);
    // Writing into a String cannot fail.
    let _ = write!(
        page,
        "<!doctype html><html lang=en><meta charset=utf-8><title>{name}: PASER Studio report</title><style>{STYLE}</style>\
         <h1>{name}</h1><p>{} samples in {} clusters; dense model {}, pruned model {} ({}); template {}; vectors {}.</p>",
        thousands(view.pool.samples),
        view.clusters.len(),
        escape(&view.dense),
        escape(&view.pruned),
        escape(&view.pruning),
        escape(&view.template),
        escape(view.manifold.as_ref().map_or("none yet", |manifold| manifold.vectors.as_str())),
    );
    page.push_str("<h2>Map</h2>");
    map(&mut page, view, positions, clusters, reasons);
    page.push_str("<h2>Damage per cluster</h2><p>Mean JSD over response tokens, nats, with its 95 % interval; n is the scored samples.");
    if let Some(scored) = view.scored_so_far {
        let _ = write!(page, " So far {} of {} samples are scored.", thousands(scored), thousands(view.pool.samples));
    }
    page.push_str("</p>");
    bars(&mut page, view);
    if let Some(selection) = selection {
        ledger(&mut page, selection);
    }
    page.push_str("</html>\n");
    page
}

fn map(page: &mut String, view: &ProjectView, positions: &[f32], clusters: &[u32], reasons: &[u8]) {
    const SIDE: f32 = 720.0;
    if positions.len() != 2 * clusters.len() || clusters.is_empty() {
        page.push_str("<p>No map yet: run the project first.</p>");
        return;
    }
    let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
    for point in positions.as_chunks::<2>().0 {
        for axis in 0..2 {
            low[axis] = low[axis].min(point[axis]);
            high[axis] = high[axis].max(point[axis]);
        }
    }
    let extent = (high[0] - low[0]).max(high[1] - low[1]).max(f32::MIN_POSITIVE);
    let place = |point: &[f32; 2]| [(point[0] - low[0]) / extent * SIDE, SIDE - (point[1] - low[1]) / extent * SIDE];
    let _ = write!(
        page,
        "<svg viewBox=\"-8 -8 {0} {0}\" width={0} height={0} role=img aria-label=\"map of the pool\">",
        SIDE + 16.0
    );
    for cluster in &view.clusters {
        let _ = write!(page, "<g fill=\"{}\">", colour(cluster));
        for (row, point) in positions.as_chunks::<2>().0.iter().enumerate() {
            if clusters[row] != cluster.cluster {
                continue;
            }
            let [x, y] = place(point);
            let taken =
                reasons.get(row).and_then(|&byte| ReasonCode::from_byte(byte)).is_some_and(ReasonCode::is_taken);
            let _ = write!(page, "<circle cx={x:.1} cy={y:.1} r={}/>", if taken { "2.4" } else { "1" });
        }
        page.push_str("</g>");
    }
    for cluster in &view.clusters {
        let [x, y] = place(&cluster.centre);
        let _ = write!(
            page,
            "<text x={x:.1} y={y:.1} text-anchor=middle font-size=11 font-weight=600 stroke=#fff stroke-width=3 paint-order=stroke>{}</text>",
            escape(&cluster.name)
        );
    }
    page.push_str("</svg><p>Large points are in the selection.</p>");
}

fn bars(page: &mut String, view: &ProjectView) {
    const WIDTH: f64 = 320.0;
    let mut sorted: Vec<&ClusterView> = view.clusters.iter().collect();
    sorted.sort_by(|a, b| b.cds.unwrap_or(-1.0).total_cmp(&a.cds.unwrap_or(-1.0)).then(a.cluster.cmp(&b.cluster)));
    let scale = view.damage_scale.max(f64::MIN_POSITIVE);
    page.push_str("<table><tr><th>cluster, worst first<th style=\"text-align:left\"><th>damage<th>after the first token<th>n<th>samples");
    for cluster in sorted {
        let _ = write!(
            page,
            "<tr><td><span class=dot style=\"background:{}\"></span>{}<td>",
            colour(cluster),
            escape(&cluster.name)
        );
        if let Some(cds) = cluster.cds {
            let (low, high) = (cluster.cds_low.unwrap_or(cds), cluster.cds_high.unwrap_or(cds));
            let _ = write!(
                page,
                "<svg width={WIDTH} height=14><rect y=2 height=10 width={:.1} fill=\"{BAR}\"/>\
                 <path d=\"M{:.1} 7H{:.1}\" stroke=#15181d stroke-width=1.5 /></svg>",
                cds / scale * WIDTH,
                low.max(0.0) / scale * WIDTH,
                high / scale * WIDTH
            );
        }
        let _ = write!(
            page,
            "<td>{}<td>{}<td>{}<td>{}",
            nats(cluster.cds),
            nats(cluster.cds_rest),
            thousands(cluster.scored),
            thousands(cluster.samples)
        );
    }
    page.push_str("</table>");
}

fn ledger(page: &mut String, selection: &SelectionView) {
    let _ = write!(
        page,
        "<h2>Selection</h2><p>{} with a budget of {}: {} {} in quotas, {} samples taken, {} tokens; mean response {:.1} tokens; \
         {:.1} % lie above the noise guard's fence.</p>",
        escape(selection.name.as_deref().unwrap_or(selection.plan.strategy.name())),
        selection.plan.budget,
        thousands(selection.budget),
        escape(&selection.unit),
        thousands(selection.selected),
        thousands(selection.tokens),
        selection.mean_response_tokens,
        selection.above_fence * 100.0
    );
    if let Some(noise) = selection.noise {
        let _ = write!(page, "<p>Planted noise taken: {}.</p>", thousands(noise));
    }
    for note in &selection.notes {
        let _ = write!(page, "<p>{}</p>", escape(note));
    }
    page.push_str("<table><tr><th>cluster<th>damage<th>raw quota<th>cap<th>quota<th>pinned<th>taken<th>refilled<th>short<th>conflicts<th>excluded<th>guarded<th>unscorable<th>ruled out<th>tokens");
    for row in &selection.ledger {
        let raw = row.quota_raw.map_or_else(String::new, |raw| format!("{raw:.1}"));
        let _ = write!(page, "<tr><td>{}<td>{}<td>{raw}", escape(&row.name), nats(row.cds));
        let counts = [
            row.cap,
            row.quota,
            row.pinned,
            row.taken,
            row.refilled,
            row.shortfall,
            row.rejected,
            row.excluded,
            row.guarded,
            row.unscorable,
            row.ruled_out,
            row.tokens,
        ];
        for count in counts {
            let _ = write!(page, "<td>{}", thousands(count));
        }
    }
    page.push_str("</table>");
}

fn colour(cluster: &ClusterView) -> &'static str {
    CLUSTERS.get(cluster.colour as usize).copied().unwrap_or(BEYOND)
}

fn nats(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.3}"))
}

fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text from a pool is data, never markup.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_texts_are_data() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(38_563), "38,563");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(escape("<script>\"&"), "&lt;script&gt;&quot;&amp;");
    }
}
