//! What may be concluded of two arms, as a table on its own (CSV, Markdown, LaTeX) or as one offline HTML page with curves,
//! arms and every metric.

use std::fmt::Write as _;
use std::path::Path;

use paser_project::write_durably;
use paser_protocol::{
    ArmView, ExportedView, Finding, Measure, RecoveryView, TableFormat, VerdictRow, VerdictView, csv,
};

use crate::{
    export::Archived,
    report::{STYLE, escape},
    session::Session,
    trouble::{Outcome, Told, usage},
};

/// Line colours of the page, in the order of arms.
const LINES: [&str; 6] = ["#2e9bdb", "#9c6b14", "#6d9159", "#8d5795", "#cd5581", "#35968e"];
const HEAD: [&str; 11] =
    ["metric", "group", "n", "first", "second", "difference", "low", "high", "least gap", "p (Holm)", "verdict"];

impl Session {
    /// Writes the verdicts of two arms on every metric to `path`; a relative path starts in `exports/`.
    ///
    /// # Errors
    /// As [`Self::verdict`]; a place that cannot be written.
    pub fn recovery_report(&self, first: &str, second: &str, format: TableFormat, path: &str) -> Outcome<ExportedView> {
        let text = self.report_text(first, second, format)?;
        let place = self.destination(Path::new(path));
        if let Some(parent) = place.parent() {
            fs_err::create_dir_all(parent).map_err(Told::told)?;
        }
        write_durably(&place, text.as_bytes()).map_err(Told::told)?;
        Ok(ExportedView { paths: vec![place.to_string_lossy().into_owned()], samples: 0, download: None })
    }

    /// The same for a browser that saves it.
    ///
    /// # Errors
    /// As [`Self::recovery_report`].
    pub fn recovery_report_file(&self, first: &str, second: &str, format: TableFormat) -> Outcome<Archived> {
        let bytes = self.report_text(first, second, format)?.into_bytes();
        let end = match format {
            TableFormat::Html => "html",
            TableFormat::Markdown => "md",
            TableFormat::Csv => "csv",
            TableFormat::Latex => "tex",
        };
        let name = format!("{}.{end}", crate::export::file_name_of(&format!("{first}-against-{second}")));
        Ok(Archived { name, bytes, samples: 0 })
    }

    /// The verdicts in one of the four forms.
    ///
    /// # Errors
    /// As [`Self::verdict`].
    pub fn report_text(&self, first: &str, second: &str, format: TableFormat) -> Outcome<String> {
        let view = self.recovery_view()?;
        let verdicts: Vec<VerdictView> =
            view.metrics.iter().map(|metric| self.verdict(first, second, &metric.metric)).collect::<Outcome<_>>()?;
        if verdicts.iter().all(|verdict| verdict.rows.is_empty()) {
            return Err(usage("There is nothing to tell of these two arms.", "Train both first."));
        }
        Ok(match format {
            TableFormat::Csv => as_csv(&verdicts),
            TableFormat::Markdown => as_markdown(&verdicts),
            TableFormat::Latex => as_latex(&verdicts),
            TableFormat::Html => as_html(&self.view().name, &view, &verdicts),
        })
    }
}

fn found(verdict: &VerdictView, row: &VerdictRow) -> String {
    match row.finding {
        Finding::First => format!("{} better", verdict.first),
        Finding::Second => format!("{} better", verdict.second),
        Finding::CannotTell => "cannot tell".to_owned(),
    }
}

/// The cells of every row, in the order of [`HEAD`].
fn cells(verdict: &VerdictView) -> impl Iterator<Item = [String; 11]> {
    verdict.rows.iter().map(move |row| {
        [
            verdict.metric.name.clone(),
            row.task.clone(),
            row.items.to_string(),
            format!("{:.4}", row.first),
            format!("{:.4}", row.second),
            format!("{:+.4}", row.difference.value),
            format!("{:+.4}", row.difference.low),
            format!("{:+.4}", row.difference.high),
            format!("{:.4}", row.least_gap),
            format!("{:.4}", row.p),
            found(verdict, row),
        ]
    })
}

/// `first: paser, 3 seeds; second: random, 3 seeds`
fn who(verdict: &VerdictView) -> String {
    let VerdictView { first, second, seeds, .. } = verdict;
    format!("first: {first}, {} seeds; second: {second}, {} seeds", seeds.0, seeds.1)
}

fn as_csv(verdicts: &[VerdictView]) -> String {
    let line = |cells: &[String]| cells.iter().map(|cell| csv::cell(cell)).collect::<Vec<_>>().join(",") + "\n";
    let mut text = line(&HEAD.map(str::to_owned));
    for verdict in verdicts {
        text.extend(cells(verdict).map(|cells| line(&cells)));
    }
    text
}

fn as_markdown(verdicts: &[VerdictView]) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = verdicts.first().map_or_else(String::new, |verdict| format!("{}\n\n", who(verdict)));
    text.push_str(&line(&HEAD.map(str::to_owned)));
    text.push_str(&line(&HEAD.map(|_| "---".to_owned())));
    for verdict in verdicts {
        text.extend(cells(verdict).map(|cells| line(&cells)));
    }
    for verdict in verdicts {
        let _ = write!(text, "\n{}: {}\n", verdict.metric.name, verdict.sentence);
        for note in &verdict.notes {
            let _ = writeln!(text, "Note: {note}.");
        }
    }
    text
}

fn as_latex(verdicts: &[VerdictView]) -> String {
    let plain = |text: &str| {
        let mut out = String::new();
        for letter in text.chars() {
            match letter {
                '\\' => out.push_str("\\textbackslash{}"),
                '~' => out.push_str("\\textasciitilde{}"),
                '^' => out.push_str("\\textasciicircum{}"),
                '&' | '%' | '$' | '#' | '_' | '{' | '}' => out.extend(['\\', letter]),
                other => out.push(other),
            }
        }
        out
    };
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| plain(cell)).collect();
        format!("{} \\\\\n", cells.join(" & "))
    };
    let mut text = verdicts.first().map_or_else(String::new, |verdict| format!("% {}\n", who(verdict)));
    text.push_str("\\begin{tabular}{llrrrrrrrrl}\n\\hline\n");
    text.push_str(&line(&HEAD.map(str::to_owned)));
    for verdict in verdicts {
        text.push_str("\\hline\n");
        text.extend(cells(verdict).map(|cells| line(&cells)));
    }
    text.push_str("\\hline\n\\end{tabular}\n");
    text
}

fn measured(measure: Option<Measure>, places: usize) -> String {
    measure.map_or_else(String::new, |found| {
        format!("{:.places$} [{:.places$}, {:.places$}]", found.value, found.low, found.high)
    })
}

fn as_html(name: &str, view: &RecoveryView, verdicts: &[VerdictView]) -> String {
    let mut page = String::new();
    let title = escape(name);
    let _ = write!(
        page,
        "<!doctype html><html lang=en><meta charset=utf-8><title>{title}: recovery</title><style>{STYLE}</style>\
         <h1>{title}: recovery</h1><p>{} arms; {}, batch {}, learning rate {:e}.</p>",
        view.arms.len(),
        view.settings.method,
        view.settings.batch,
        view.settings.learning_rate,
    );
    for (at, metric) in view.metrics.iter().enumerate() {
        let _ = write!(page, "<h2>{}, {}</h2>", escape(&metric.name), escape(&metric.unit));
        curves(&mut page, view, at);
    }
    page.push_str("<h2>Arms</h2><table><tr><th>arm<th>data<th>seeds<th>samples<th>scoring, s<th>training, s");
    for metric in &view.metrics {
        let _ = write!(page, "<th>{}", escape(&metric.name));
    }
    for arm in &view.arms {
        let _ = write!(
            page,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{:.0}<td>{:.0}",
            escape(&arm.name),
            escape(&arm.what),
            arm.runs.len(),
            arm.samples,
            arm.scoring_seconds,
            arm.training_seconds
        );
        for metric in 0..view.metrics.len() {
            let last = arm.last.get(metric).and_then(|groups| groups.first()).copied().flatten();
            let _ = write!(page, "<td>{}", measured(last, 4));
        }
    }
    page.push_str("</table>");
    for verdict in verdicts {
        let _ = write!(
            page,
            "<h2>{} against {}: {}</h2><p>{}. {}</p><table><tr>",
            escape(&verdict.first),
            escape(&verdict.second),
            escape(&verdict.metric.name),
            escape(&who(verdict)),
            escape(&verdict.sentence)
        );
        for head in &HEAD[1..] {
            let _ = write!(page, "<th>{}", escape(head));
        }
        for row in cells(verdict) {
            page.push_str("<tr>");
            for cell in &row[1..] {
                let _ = write!(page, "<td>{}", escape(cell));
            }
        }
        page.push_str("</table>");
        for note in &verdict.notes {
            let _ = write!(page, "<p>Note: {}.</p>", escape(note));
        }
    }
    page.push_str("</html>\n");
    page
}

/// Every seed of every arm over its steps, with the dense and the pruned model.
fn curves(page: &mut String, view: &RecoveryView, metric: usize) {
    const WIDTH: f64 = 720.0;
    const HEIGHT: f64 = 260.0;
    let of = |arm: &ArmView| -> Vec<Vec<(f64, f64)>> {
        let value = |point: &paser_protocol::CurvePoint| {
            Some((f64::from(point.step), point.values.get(metric)?.first().copied().flatten()?))
        };
        arm.runs.iter().map(|run| run.points.iter().filter_map(value).collect()).collect()
    };
    let all: Vec<Vec<Vec<(f64, f64)>>> = view.arms.iter().map(of).collect();
    let flat = || all.iter().flatten().flatten();
    let (mut low, mut high) =
        flat().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (_, y)| (low.min(*y), high.max(*y)));
    let lines: Vec<(&str, f64)> = [("dense", &view.dense), ("pruned", &view.pruned)]
        .into_iter()
        .filter_map(|(name, values)| Some((name, values.get(metric)?.first().copied().flatten()?.value)))
        .collect();
    for (_, value) in &lines {
        (low, high) = (low.min(*value), high.max(*value));
    }
    let last = flat().map(|(x, _)| *x).fold(0.0, f64::max);
    if !(low < high && last > 0.0) {
        page.push_str("<p>Nothing is trained yet.</p>");
        return;
    }
    let place = |x: f64, y: f64| (x / last * WIDTH, HEIGHT - (y - low) / (high - low) * HEIGHT);
    let _ = write!(page, "<svg viewBox=\"-4 -8 {} {}\" width={}>", WIDTH + 120.0, HEIGHT + 28.0, WIDTH + 120.0);
    for (name, value) in lines {
        let (_, y) = place(0.0, value);
        let _ = write!(
            page,
            "<line x1=0 x2={WIDTH} y1={y:.1} y2={y:.1} stroke=#59616d stroke-dasharray=\"4 4\"/>\
             <text x={} y={:.1} font-size=11>{name} {value:.4}</text>",
            WIDTH + 6.0,
            y + 4.0
        );
    }
    for (at, (arm, runs)) in view.arms.iter().zip(&all).enumerate() {
        let colour = LINES[at % LINES.len()];
        for run in runs.iter().filter(|run| run.len() > 1) {
            let points: Vec<String> = run
                .iter()
                .map(|(x, y)| {
                    let (x, y) = place(*x, *y);
                    format!("{x:.1},{y:.1}")
                })
                .collect();
            let _ = write!(
                page,
                "<polyline fill=none stroke={colour} stroke-width=1.5 points=\"{}\"><title>{}</title></polyline>",
                points.join(" "),
                escape(&arm.name)
            );
        }
        let _ = write!(
            page,
            "<text x={} y={} font-size=11 fill={colour}>{}</text>",
            at as f64 * 120.0,
            HEIGHT + 18.0,
            escape(&format!("{} (n = {})", arm.name, arm.runs.len()))
        );
    }
    page.push_str("</svg>");
}
