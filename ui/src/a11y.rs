//! The AccessKit tree that egui makes anyway, as JSON: the page is one canvas, and tests in a browser find widgets by
//! it. eframe's web back end itself drops the tree.

use egui::accesskit;

/// Hands the nodes of every frame that changed to a function, as a JSON array of
/// `{role, text, value, rect, disabled, toggled, focused}`.
pub struct A11yTap(pub Box<dyn Fn(String) + Send + Sync>);

impl egui::Plugin for A11yTap {
    fn debug_name(&self) -> &'static str {
        "a11y-tap"
    }

    fn setup(&mut self, ctx: &egui::Context) {
        ctx.enable_accesskit();
    }

    fn output_hook(&mut self, _ctx: &egui::Context, output: &mut egui::FullOutput) {
        let Some(update) = &output.platform_output.accesskit_update else { return };
        let nodes: Vec<serde_json::Value> = update
            .nodes
            .iter()
            .filter_map(|(id, node): &(accesskit::NodeId, accesskit::Node)| {
                let text = node.label().or_else(|| node.value())?;
                let bounds = node.bounds()?;
                Some(serde_json::json!({
                    "role": format!("{:?}", node.role()),
                    "text": text,
                    "value": node.value(),
                    "rect": [bounds.x0, bounds.y0, bounds.x1, bounds.y1],
                    "disabled": node.is_disabled(),
                    "toggled": node.toggled().map(|toggled| format!("{toggled:?}")),
                    "focused": *id == update.focus,
                }))
            })
            .collect();
        (self.0)(serde_json::Value::from(nodes).to_string());
    }
}
