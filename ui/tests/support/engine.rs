//! An engine in the same process: keeps a project, selects by the real quota arithmetic and falling efficiency, sorts,
//! searches, curates with undo, and answers as the real one does.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use paser_protocol::{
    BenchmarkView, BetweenView, Blocking, BudgetCurve, BudgetPoint, CacheView, ChecksView, DemoCard, DeviceView,
    DownloadView, EngineSettings, EstimateView, ExportedView, Failure, FateView, Hello, LayerView, LeakView, LedgerRow,
    ModelView, ModelsView, NearDuplicatesView, NearGroupView, NeighbourView, PartChoice, Probed, ProjectView,
    ProjectionView, PrunedChange, ReasonCode, Recent, RecoveryView, Remark, Reply, Report, Request, RowQuery,
    SampleView, Secret, SelectionPlan, SelectionView, SettingsView, TextRow, TokenView, TokensView, encode_f32,
    encode_u32, search_words,
};
use ui::budget_math;

use super::{
    curation::Edits,
    fixture::{self, Pool},
    recovery::Lab,
};

pub struct Engine {
    inner: Rc<RefCell<Inner>>,
}

struct Inner {
    pool: Pool,
    project: ProjectView,
    recent: Vec<Recent>,
    edits: Edits,
    queries: u64,
    selects: u64,
    fresh: BTreeMap<String, Vec<u8>>,
    /// Reason bytes of every selection made so far, by column key.
    reasons: BTreeMap<String, Vec<u8>>,
    /// Fails the next request of any kind with this.
    fails: Option<Report>,
    /// Fails every request of this kind.
    refuses: Option<fn(&Request) -> bool>,
    open: bool,
    /// A sweep of the settings was computed.
    swept: bool,
    lab: Lab,
    code: bool,
    /// What a continuation would take.
    continue_seconds: f64,
    settings: EngineSettings,
    cleared: Vec<String>,
    token: Secret,
    /// Stands before every id and instruction; another file has another one.
    prefix: &'static str,
}

impl Engine {
    pub fn new() -> Self {
        Self::with(true)
    }

    pub fn with(scored: bool) -> Self {
        let pool = fixture::pool();
        let project = fixture::project(&pool, scored);
        let recent = vec![
            Recent {
                name: "llama2-7b-p25".into(),
                path: "/data/runs/llama2-7b-p25".into(),
                line: "LLM-Pruner 25 %, 38,563 samples".into(),
                opened: fixture::NOW - 3_600,
            },
            Recent {
                name: "qwen3-4b-2of4".into(),
                path: "/data/runs/qwen3-4b-2of4".into(),
                line: "2:4, 51,760 samples".into(),
                opened: fixture::NOW - 5 * 86_400,
            },
        ];
        let inner = Inner {
            pool,
            project,
            recent,
            edits: Edits::default(),
            queries: 0,
            selects: 0,
            fresh: BTreeMap::new(),
            reasons: BTreeMap::new(),
            fails: None,
            refuses: None,
            open: false,
            swept: false,
            lab: Lab::default(),
            token: Secret::default(),
            code: false,
            continue_seconds: 3.6,
            settings: EngineSettings::default(),
            cleared: Vec::new(),
            prefix: "",
        };
        Self { inner: Rc::new(RefCell::new(inner)) }
    }

    pub fn edit(self, change: impl FnOnce(&mut ProjectView)) -> Self {
        change(&mut self.inner.borrow_mut().project);
        self
    }

    /// Arms, curves and verdicts.
    pub fn recovering(self, view: RecoveryView) -> Self {
        self.inner.borrow_mut().lab.view = Some(view);
        self
    }

    /// Changes the arms behind the window's back.
    pub fn change_arms(&self, change: impl FnOnce(&mut RecoveryView)) {
        change(self.inner.borrow_mut().lab.view.get_or_insert_with(super::recovery::empty));
    }

    /// Every sample asks for code, and its response is code.
    pub fn with_code(self) -> Self {
        self.inner.borrow_mut().code = true;
        self
    }

    /// As on a machine where a continuation takes so long.
    pub fn continuing_in(self, seconds: f64) -> Self {
        self.inner.borrow_mut().continue_seconds = seconds;
        self
    }

    pub fn without_recents(self) -> Self {
        self.inner.borrow_mut().recent.clear();
        self
    }

    /// The columns that never change; query and selection columns are appended by the answers.
    pub fn columns(&self) -> BTreeMap<String, Vec<u8>> {
        let pool = &self.inner.borrow().pool;
        let mut columns = BTreeMap::from([
            ("k-map".to_owned(), encode_f32(&pool.places)),
            ("k-cluster".to_owned(), encode_u32(&pool.cluster)),
            ("k-jsd".to_owned(), encode_f32(&pool.jsd)),
            ("k-ies".to_owned(), encode_f32(&pool.ies)),
            ("k-response_tokens".to_owned(), encode_f32(&pool.tokens)),
            ("k-loss_dense".to_owned(), encode_f32(&pool.loss_dense)),
            ("k-loss_pruned".to_owned(), encode_f32(&pool.loss_pruned)),
            ("k-capability".to_owned(), encode_u32(&pool.capability)),
        ]);
        columns.extend(self.inner.borrow().lab.columns());
        columns.insert("demo-map".to_owned(), columns["k-map"].clone());
        columns.insert("demo-jsd".to_owned(), columns["k-jsd"].clone());
        columns.insert("download-0".to_owned(), b"PK".to_vec());
        columns
    }

    pub fn answer(&self) -> ui::transport::local::Answer {
        let inner = self.inner.clone();
        Box::new(move |request| inner.borrow_mut().answer(request))
    }

    /// Columns that an answer named since the last call.
    pub fn fresh_columns(&self) -> BTreeMap<String, Vec<u8>> {
        std::mem::take(&mut self.inner.borrow_mut().fresh)
    }

    pub fn handle(&self) -> Self {
        Self { inner: self.inner.clone() }
    }

    pub fn fail_next(&self, report: Report) {
        self.inner.borrow_mut().fails = Some(report);
    }

    pub fn refuse(&self, which: Option<fn(&Request) -> bool>) {
        self.inner.borrow_mut().refuses = which;
    }

    /// Changes the open project behind the window's back; the new revision, as an event carries it.
    pub fn change(&self, change: impl FnOnce(&mut ProjectView)) -> u64 {
        let project = &mut self.inner.borrow_mut().project;
        change(project);
        project.revision += 1;
        project.revision
    }

    /// The pool file was written anew and imported: every text begins with `prefix`.
    pub fn import_again(&self, prefix: &'static str) -> u64 {
        self.inner.borrow_mut().prefix = prefix;
        self.change(|project| project.pool.key = format!("import of {prefix}"))
    }
}

impl Inner {
    fn answer(&mut self, request: &Request) -> Result<Reply, Report> {
        if let Some(report) = self.fails.take() {
            return Err(report);
        }
        if self.refuses.is_some_and(|refuses| refuses(request)) {
            return Err(Report::new(Failure::Machine, "The disk of /data does not answer.", "Look at its cable."));
        }
        match request {
            Request::OpenDemo { .. } | Request::OpenProject { .. } | Request::CreateProject { .. } => self.open = true,
            Request::CloseProject { .. } => self.open = false,
            _ => {}
        }
        if let Some(answer) = self.lab.answer(request) {
            return answer;
        }
        Ok(match request {
            Request::Hello => Reply::Hello(Hello {
                version: "0.1.0".into(),
                machine: "cpu, 2 threads, 23.4 GB".into(),
                recent: self.recent.clone(),
                demo: Some(DemoCard {
                    samples: 3_000,
                    clusters: 12,
                    damage_scale: 0.4,
                    positions: "demo-map".into(),
                    damage: "demo-jsd".into(),
                    labels: self.project.clusters.iter().take(9).map(|c| (c.name.clone(), c.centre)).collect(),
                }),
                open: self.open,
                trouble: None,
            }),
            Request::OpenDemo { .. }
            | Request::OpenProject { .. }
            | Request::Project
            | Request::CreateProject { .. } => Reply::Project(Box::new(self.project.clone())),
            Request::Select { plan } => Reply::Selection(Box::new(self.select(plan))),
            Request::Query { query } if query.filter.contains("nonsense") => {
                return Err(Report::new(Failure::Usage, "There is no column nonsense.", "Near it: none."));
            }
            Request::Query { query } => self.query(query),
            Request::InsideWords { query } => {
                let count = |query: &RowQuery| self.found(query).len() as u64;
                let wide = query.inside_words().expect("asked for where there may be more");
                Reply::InsideWords { more: count(&wide) - count(query) }
            }
            Request::Texts { rows } => Reply::Texts(rows.iter().map(|row| self.text(*row)).collect()),
            Request::Sample { row } => Reply::Sample(Box::new(self.sample(*row))),
            Request::Tokens { row } => Reply::Tokens(self.tokens(*row)),
            Request::Neighbours { row, count } => Reply::Neighbours(self.neighbours(*row, *count)),
            Request::Continue { row, .. } => Reply::Continuations {
                row: *row,
                dense: " Three lanterns cost 3 * 4 = 12 coins.\nMira pays with 20, so the change is 8.".into(),
                pruned: " Three lanterns cost 3 + 4 = 7 coins.\nMira pays with 7 and 7 and 7 and 7 and 7".into(),
                stopped: (true, false),
                seconds: 3.41,
            },
            Request::Freeze { name } => {
                let mut frozen = self.select(&self.project.plan.clone());
                frozen.name = Some(name.clone());
                self.project.selections.push(frozen.clone());
                Reply::Selection(Box::new(frozen))
            }
            Request::FreezePlan { plan, name } => {
                let building = self.project.plan.clone();
                let mut frozen = self.select(plan);
                self.project.plan = building;
                frozen.name = Some(name.clone());
                self.project.selections.push(frozen.clone());
                self.project.revision += 1;
                Reply::Selection(Box::new(frozen))
            }
            Request::Prepare { strategy, settings } => {
                self.project.strategies = settings.clone();
                for pass in self.project.passes.iter_mut().filter(|pass| pass.strategy == *strategy) {
                    (pass.key, pass.blocked) = (Some(format!("{strategy} of {settings:?}")), None);
                }
                self.project.revision += 1;
                Reply::Done
            }
            Request::Rename { from, to } => {
                for selection in self.project.selections.iter_mut().filter(|s| s.name.as_ref() == Some(from)) {
                    selection.name = Some(to.clone());
                }
                self.project.revision += 1;
                Reply::Done
            }
            Request::Compare { names } => {
                let find = |name: &String| self.project.selections.iter().find(|s| s.name.as_ref() == Some(name));
                let sides: Vec<super::compare::Side<'_>> = names
                    .iter()
                    .filter_map(find)
                    .map(|frozen| (frozen, self.reasons[&frozen.reason_column].as_slice()))
                    .collect();
                Reply::Comparison(Box::new(super::compare::compare(&self.pool, &sides)))
            }
            Request::BudgetCurve { name } => Reply::BudgetCurve(BudgetCurve {
                selection: name.clone(),
                points: [1.0, 5.0, 10.0, 20.0, 50.0]
                    .map(|percent: f64| BudgetPoint {
                        percent,
                        selected: (percent * 30.0) as u64,
                        tokens: 0,
                        mean_damage: Some(0.4 / (1.0 + percent / 8.0) + name.len() as f64 * 0.004),
                        taken: vec![1; 12],
                    })
                    .to_vec(),
            }),
            Request::Fates { row, names } => {
                let fate = |name: &String| FateView {
                    selection: name.clone(),
                    taken: row.is_multiple_of(2),
                    status: "taken".to_owned(),
                    why: format!("Taken: row {row} of {name}."),
                    blocking: None,
                };
                Reply::Fates(names.iter().map(fate).collect())
            }
            Request::Differences { .. } => Reply::Exported(ExportedView {
                paths: vec![],
                samples: 328,
                download: Some(DownloadView { name: "differences.csv".into(), key: "download-0".into() }),
            }),
            Request::Settings => self.settings_reply(),
            Request::SetSettings { settings } => {
                self.settings = *settings;
                self.settings_reply()
            }
            Request::ClearCache { id } => {
                self.cleared.push(id.clone());
                self.settings_reply()
            }
            Request::Table { query, .. } => Reply::Exported(ExportedView {
                paths: vec![],
                samples: query.rows.as_ref().map_or(3_000, Vec::len) as u64,
                download: Some(DownloadView { name: "samples.csv".into(), key: "download-0".into() }),
            }),
            Request::Discard { name } => {
                self.project.selections.retain(|selection| selection.name.as_ref() != Some(name));
                Reply::Done
            }
            Request::Curate { edit } => {
                self.edits.add(edit);
                self.curated()
            }
            Request::Undo => {
                self.edits.undo();
                self.curated()
            }
            Request::Redo => {
                self.edits.redo();
                self.curated()
            }
            Request::Revert { entry } => {
                self.edits.revert(*entry);
                self.curated()
            }
            Request::Journal => Reply::Journal(self.edits.journal()),
            Request::ChangePruned { change: PrunedChange::Use { model } } => {
                for scheme in &mut self.project.schemes {
                    scheme.own = scheme.reference == *model;
                }
                self.project.schemes.sort_by_key(|scheme| !scheme.own);
                self.project.revision += 1;
                Reply::Done
            }
            Request::Models => Reply::Models(Box::new(models())),
            Request::Stability => Reply::Stability(Box::new(super::stability::view(self.swept))),
            Request::Sweep { .. } => {
                self.swept = true;
                self.project.revision += 1;
                Reply::Done
            }
            Request::Checks => Reply::Checks(Box::new(checks())),
            Request::Probe { path, .. } if path.contains("missing") => {
                return Err(Report::new(Failure::Unusable, format!("{path} is not there."), "Check the path."));
            }
            Request::Probe { path, .. } if path.starts_with("hub:") => Reply::Probed(dataset(path, &self.token)),
            Request::SetToken { token } => {
                self.token = token.clone();
                Reply::Done
            }
            Request::Probe { source, .. } => Reply::Probed(Probed { remarks: remarks(*source), choices: Vec::new() }),
            Request::Estimate { .. } => Reply::Estimate(estimate()),
            Request::Export { path, .. } => {
                let download = path
                    .is_empty()
                    .then(|| DownloadView { name: "selection-alpaca-json.zip".into(), key: "download-0".into() });
                let paths = if path.is_empty() {
                    vec![]
                } else {
                    vec![path.clone(), "manifest.json".into(), "indices.txt".into()]
                };
                Reply::Exported(ExportedView { paths, samples: 600, download })
            }
            _ => Reply::Done,
        })
    }

    fn text(&self, row: u32) -> TextRow {
        let instruction = format!("{}{}", self.prefix, fixture::instruction(&self.pool, row));
        TextRow { row, id: format!("{}{}", self.prefix, row + 1), instruction }
    }

    fn select(&mut self, plan: &SelectionPlan) -> SelectionView {
        let quotas = SelectionPlan { strategy: paser_protocol::Strategy::Paser, ..plan.clone() };
        let provisional =
            budget_math::provisional(&self.project.clusters, &quotas, self.pool.len() as u64).expect("quotas");
        let with_quotas = budget_math::has_quotas(plan.strategy);
        let (pinned, excluded) = (&self.project.curation.pinned, &self.project.curation.excluded);
        let mut reasons = vec![ReasonCode::QuotaFull as u8; self.pool.len()];
        let mut ledger = Vec::new();
        let mut tokens = 0.0;
        let mut response = 0.0;
        for cluster in &self.project.clusters {
            let quota = provisional.rows.iter().find(|row| row.cluster == cluster.cluster).expect("a row");
            let mut rows: Vec<u32> =
                (0..self.pool.len() as u32).filter(|row| self.pool.cluster[*row as usize] == cluster.cluster).collect();
            rows.sort_by(|a, b| self.pool.ies[*b as usize].total_cmp(&self.pool.ies[*a as usize]).then(a.cmp(b)));
            let mut account = [0_u64; 5];
            let (pins, rest): (Vec<u32>, Vec<u32>) = rows.into_iter().partition(|row| pinned.contains(row));
            for row in pins.iter().chain(&rest) {
                let taken = account[0] + account[1] + account[2];
                let code = if excluded.contains(row) {
                    ReasonCode::Excluded
                } else if pinned.contains(row) {
                    account[0] += 1;
                    ReasonCode::Pinned
                } else if plan.strategy.needs_pass() && row.is_multiple_of(9) {
                    account[4] += 1;
                    ReasonCode::RuledOut
                } else if taken >= quota.quota {
                    ReasonCode::QuotaFull
                } else if plan.concepts.on && row.is_multiple_of(6) && rest.len() as u64 > quota.quota + 40 {
                    account[3] += 1;
                    ReasonCode::Conflict
                } else {
                    account[1] += 1;
                    ReasonCode::Taken
                };
                reasons[*row as usize] = code as u8;
                if code.is_taken() {
                    tokens += self.pool.tokens[*row as usize] + self.pool.prompt[*row as usize];
                    response += self.pool.tokens[*row as usize];
                }
            }
            ledger.push(LedgerRow {
                cluster: cluster.cluster,
                name: cluster.name.clone(),
                samples: cluster.samples,
                cds: cluster.cds,
                cds_low: cluster.cds_low,
                cds_high: cluster.cds_high,
                cds_rest: cluster.cds_rest,
                quota_raw: with_quotas.then_some(quota.raw),
                cap: quota.cap,
                quota: quota.quota,
                pinned: account[0],
                taken: account[1],
                refilled: 0,
                shortfall: quota.quota - account[0] - account[1],
                shortfall_reason: None,
                exhausted: quota.quota == quota.cap,
                by_hand: cluster.quota.is_some(),
                rejected: account[3],
                excluded: excluded.iter().filter(|row| self.pool.cluster[**row as usize] == cluster.cluster).count()
                    as u64,
                guarded: 0,
                unscorable: 0,
                ruled_out: account[4],
                tokens: 0,
            });
        }
        let selected = ledger.iter().map(|row| row.pinned + row.taken).sum::<u64>();
        let mut counts: Vec<(String, u64)> = ReasonCode::ALL
            .iter()
            .map(|code| (code.word().to_owned(), reasons.iter().filter(|byte| **byte == *code as u8).count() as u64))
            .collect();
        counts.retain(|(_, count)| *count > 0);
        self.selects += 1;
        let key = format!("reason-{}", self.selects);
        self.reasons.insert(key.clone(), reasons.clone());
        self.fresh.insert(key.clone(), reasons);
        self.project.plan = plan.clone();
        SelectionView {
            name: None,
            plan: plan.clone(),
            budget: provisional.total,
            unit: "samples".into(),
            selected,
            tokens: tokens as u64,
            mean_response_tokens: f64::from(response) / selected.max(1) as f64,
            acceptance_rate: Some(0.83),
            above_fence: 0.031,
            noise: Some(41),
            ledger,
            reasons: counts,
            reason_column: key,
            notes: vec![],
        }
    }

    fn found(&self, query: &RowQuery) -> Vec<u32> {
        let text = query.text.to_lowercase();
        let typed = search_words(&text);
        let holds = |row: u32| {
            let text = fixture::instruction(&self.pool, row).to_lowercase();
            let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
            typed.iter().all(|typed| {
                words.iter().any(|word| match (typed.before, typed.after) {
                    (true, _) => word.contains(typed.word),
                    (false, true) => word.starts_with(typed.word),
                    (false, false) => *word == typed.word,
                })
            })
        };
        (0..self.pool.len() as u32)
            .filter(|row| query.clusters.is_empty() || query.clusters.contains(&self.pool.cluster[*row as usize]))
            .filter(|row| query.rows.as_ref().is_none_or(|rows| rows.contains(row)))
            .filter(|row| !query.filter.contains("jsd >") || self.pool.jsd[*row as usize] > 0.3)
            .filter(|row| holds(*row) && !query.filter.contains("zzz"))
            .collect()
    }

    fn query(&mut self, query: &RowQuery) -> Reply {
        let mut rows = self.found(query);
        let values = match query.sort.as_str() {
            "jsd" => Some(&self.pool.jsd),
            "ies" => Some(&self.pool.ies),
            "response_tokens" => Some(&self.pool.tokens),
            "loss_dense" => Some(&self.pool.loss_dense),
            "loss_pruned" => Some(&self.pool.loss_pruned),
            _ => None,
        };
        if let Some(values) = values {
            rows.sort_by(|a, b| values[*a as usize].total_cmp(&values[*b as usize]).then(a.cmp(b)));
        }
        if query.descending {
            rows.reverse();
        }
        self.queries += 1;
        let key = format!("rows-{}", self.queries);
        self.fresh.insert(key.clone(), encode_u32(&rows));
        Reply::Rows { key, count: rows.len() as u64 }
    }

    fn sample(&self, row: u32) -> SampleView {
        let at = row as usize;
        let pool = &self.pool;
        let conflict = row.is_multiple_of(6);
        SampleView {
            row,
            id: (row + 1).to_string(),
            instruction: if self.code { ASKED.to_owned() } else { fixture::instruction(pool, row) },
            input: String::new(),
            output: self.response().iter().map(|(text, _)| *text).collect(),
            multiplicity: 1,
            line: u64::from(row) + 1,
            cluster: Some(pool.cluster[at]),
            values: vec![
                ("damage (JSD)".into(), format!("{:.4}", pool.jsd[at]), "nats".into()),
                ("damage after the first token".into(), format!("{:.4}", pool.jsd[at] * 0.8), "nats".into()),
                ("efficiency (IES)".into(), format!("{:.4}", pool.ies[at]), "nats per log token".into()),
                ("dense loss".into(), format!("{:.4}", pool.loss_dense[at]), "nats per token".into()),
                ("pruned loss".into(), format!("{:.4}", pool.loss_pruned[at]), "nats per token".into()),
                ("KL(dense, pruned)".into(), "0.9127".into(), "nats".into()),
                ("same most likely token".into(), "61 %".into(), String::new()),
                ("prompt tokens".into(), pool.prompt[at].to_string(), "tokens".into()),
                ("response tokens".into(), pool.tokens[at].to_string(), "tokens".into()),
                ("capability".into(), "arithmetic".into(), String::new()),
            ],
            concepts: fixture::KINDS[pool.cluster[at] as usize].concepts(),
            status: "taken".into(),
            why: if conflict {
                "Two of its concepts are in the graph without an edge between them: they were accepted in different samples.".into()
            } else {
                "Its cluster has a quota of 104 from a damage of 0.342 nats. All 6 known concept pairs are linked."
                    .into()
            },
            blocking: conflict.then(|| Blocking {
                first: "total cost".into(),
                first_row: 11,
                first_id: "12".into(),
                second: "half".into(),
                second_row: 25,
                second_id: "26".into(),
            }),
        }
    }

    fn response(&self) -> &'static [(&'static str, f32)] {
        if self.code { &CODE } else { &RESPONSE }
    }

    fn tokens(&self, row: u32) -> TokensView {
        let tokens = self
            .response()
            .iter()
            .map(|(text, jsd)| TokenView {
                text: (*text).to_owned(),
                jsd: *jsd,
                loss_dense: 0.2,
                loss_pruned: 0.2 + jsd * 4.0,
                dense: vec![((*text).to_owned(), 0.93 - jsd * 0.4), (" many".into(), 0.03)],
                pruned: vec![(" 12".into(), 0.31 + jsd * 0.2), ((*text).to_owned(), 0.28)],
            })
            .collect();
        TokensView { row, tokens, continue_seconds: self.continue_seconds }
    }

    fn settings_reply(&self) -> Reply {
        let cache = |id: &str, name: &str, bytes| CacheView {
            id: id.into(),
            name: name.into(),
            path: format!("/home/ada/.cache/{name}"),
            bytes: if self.cleared.iter().any(|cleared| cleared == id) { 0 } else { bytes },
            cost: "other programs of this machine share it; the next use downloads it again".into(),
            held: (id == "demo").then(|| "it is open".into()),
        };
        Reply::Settings(Box::new(SettingsView {
            settings: self.settings,
            threads: 8,
            threads_fixed: None,
            memory: 24 << 30,
            devices: vec![
                DeviceView { name: "processor: cpu, 8 threads, 25.8 GB".into(), missing: None },
                DeviceView { name: "CUDA".into(), missing: Some("this build computes on the processor only".into()) },
            ],
            caches: vec![
                cache("demo", "the demo project", 12_400_000),
                cache("hub:meta-llama/Llama-2-7b-hf", "meta-llama/Llama-2-7b-hf", 13_476_000_000),
            ],
            state_folder: "/home/ada/.local/state/paser-studio".into(),
            trouble: None,
        }))
    }

    /// The rows of the same cluster, the next ones first, by turns behind it and before it.
    fn neighbours(&self, row: u32, count: u32) -> Vec<NeighbourView> {
        let rows = self.pool.len() as u32;
        let like = (1..rows / 2).flat_map(|step| [(row + step) % rows, (row + rows - step) % rows]);
        like.filter(|other| self.pool.cluster[*other as usize] == self.pool.cluster[row as usize])
            .take(count as usize)
            .zip(0_u16..)
            .map(|(other, place)| {
                let TextRow { row, id, instruction } = self.text(other);
                NeighbourView { row, id, similarity: 0.94 - f32::from(place) * 0.013, instruction }
            })
            .collect()
    }

    fn curated(&mut self) -> Reply {
        let curation = self.edits.view();
        let (pinned, excluded) = (&curation.pinned, &curation.excluded);
        self.project.clusters = fixture::clusters(&self.pool, pinned, excluded, true);
        self.edits.apply(&mut self.project.clusters);
        self.project.curation = curation;
        self.project.revision += 1;
        Reply::Curation(self.project.curation.clone())
    }
}

const ASKED: &str = "Mend this function, and say which rows the query finds.\n```python\ndef change(paid, cost):\n    \
                     # what comes back\n    return cost - paid\n```\n```sql\nSELECT name FROM buyers -- all\nWHERE paid > \
                     'cost';\n```\nKeep its name.";

const CODE: [(&str, f32); 23] = [
    ("def", 0.31),
    (" change", 0.04),
    ("(p", 0.02),
    ("aid", 0.01),
    (", cost", 0.02),
    ("):\n", 0.01),
    ("    \"\"\"", 0.22),
    ("Coins", 0.4),
    (" that", 0.06),
    (" come back.", 0.1),
    ("\"\"\"\n", 0.01),
    ("    if", 0.28),
    (" paid", 0.02),
    (" <", 0.01),
    (" cost", 0.03),
    (":\n", 0.01),
    ("        raise", 0.47),
    (" ValueError", 0.12),
    ("('too little')\n", 0.08),
    ("    return", 0.02),
    (" paid", 0.55),
    (" - cost", 0.19),
    ("  # never below 0", 0.03),
];

const RESPONSE: [(&str, f32); 24] = [
    ("Three", 0.21),
    (" lanterns", 0.02),
    (" cost", 0.01),
    (" 3", 0.12),
    (" *", 0.04),
    (" 4", 0.18),
    (" =", 0.01),
    (" 12", 0.52),
    (" coins", 0.02),
    (".\n", 0.03),
    ("Mira", 0.06),
    (" pays", 0.02),
    (" with", 0.01),
    (" 20", 0.24),
    (",", 0.01),
    (" so", 0.05),
    (" the", 0.01),
    (" change", 0.09),
    (" is", 0.01),
    (" 20", 0.2),
    (" -", 0.07),
    (" 12", 0.33),
    (" =", 0.01),
    (" 8.", 0.61),
];

fn remarks(source: paser_protocol::SourceKind) -> Vec<Remark> {
    use paser_protocol::SourceKind as Kind;
    let remark = |level: &str, text: &str| Remark { level: level.into(), text: text.into() };
    match source {
        Kind::Pool => vec![
            remark("ok", "instruction, input, output; 38,563 samples"),
            remark("warn", "234 samples are longer than 512 tokens and will be cut."),
        ],
        Kind::Model => vec![remark("ok", "LLaMA, 8 layers, 5.1 M parameters, f32")],
        Kind::Encoder => vec![remark("ok", "BERT, 6 layers, 384 dimensions, in the local cache")],
        Kind::Project | Kind::Folder => vec![remark("ok", "a new folder")],
    }
}

/// A data set on the hub with two splits.
fn dataset(path: &str, token: &Secret) -> Probed {
    let remark = |level: &str, text: &str| Remark { level: level.into(), text: text.into() };
    let part = |name: &str, about: &str| PartChoice {
        reference: format!("hub:HuggingFaceH4/ultrachat_200k:{name}"),
        name: name.into(),
        about: about.into(),
    };
    let choices = vec![
        part("default/test_sft", "1 file, 81.3 MB, 23.1 k rows"),
        part("default/train_sft", "3 files, 731.8 MB, 207.9 k rows"),
    ];
    let first = match choices.iter().find(|part| part.reference == path) {
        Some(part) => remark("ok", &format!("{}, {}; downloaded when a run imports it", part.name, part.about)),
        None => remark("error", &format!("2 parts: choose one, as in {}", choices[0].reference)),
    };
    let mut remarks = vec![first, remark("ok", "licence mit")];
    if token.0.is_empty() {
        remarks.push(remark("warn", "gated: accept its licence on its page, and give an access token"));
    }
    Probed { remarks, choices }
}

fn estimate() -> EstimateView {
    EstimateView {
        stages: vec![
            ("read and hash the pool".into(), Some((2.0, 4.0))),
            ("encode 38,563 samples".into(), Some((260.0, 420.0))),
            ("neighbours, manifold, clusters".into(), Some((70.0, 120.0))),
            ("score both models".into(), Some((300.0, 520.0))),
        ],
        memory_bytes: Some(1_900_000_000),
        memory_free_bytes: 19_200_000_000,
        disk_bytes: Some(210_000_000),
        network_bytes: Some(91_000_000),
        remarks: vec![Remark { level: "warn".into(), text: "the encoder is fetched once, 91 MB".into() }],
    }
}

fn checks() -> ChecksView {
    ChecksView {
        near_duplicates: Some(NearDuplicatesView {
            threshold: 0.8,
            groups: 2,
            samples: 3,
            largest: 3,
            examples: vec![
                NearGroupView { kept: 4, kept_id: "5".into(), rows: vec![9, 12], similarity: 0.91 },
                NearGroupView { kept: 30, kept_id: "31".into(), rows: vec![31], similarity: 0.84 },
            ],
            rows: vec![9, 12, 31],
        }),
        benchmarks: vec![BenchmarkView {
            name: "ARC-e".into(),
            path: "eval/arc_easy.jsonl".into(),
            questions: 2_376,
            too_short: 3,
            samples: vec![40, 41],
            examples: vec![LeakView {
                row: 40,
                id: "41".into(),
                question: "Which of these would most likely cause the tides on Earth to be higher than usual?".into(),
                shared: "which of these would most likely cause the tides on earth to be".into(),
                share: 0.8,
            }],
        }],
        seconds: 2.4,
        off: vec![],
        notes: vec!["One bucket of 1,204 equal texts was compared with its first 64 only.".into()],
    }
}

/// A pair of four layers: the pruned one has lost two heads of its second layer and half of its weights.
fn models() -> ModelsView {
    let model = |reference: &str, zeros: u64, heads: [u32; 4]| {
        let layer = |heads: u32| {
            let projections = [
                ("q", heads * 32, 256),
                ("k", heads * 32, 256),
                ("v", heads * 32, 256),
                ("o", 256, heads * 32),
                ("gate", 688, 256),
                ("up", 688, 256),
                ("down", 256, 688),
            ];
            let projections = projections.map(|(name, rows, columns)| ProjectionView {
                name: name.into(),
                rows,
                columns,
                zeros: u64::from(rows) * u64::from(columns) * zeros / 100,
                pattern: (zeros == 50).then(|| "2:4".into()),
            });
            let parameters = projections.iter().map(|one| u64::from(one.rows) * u64::from(one.columns)).sum();
            let zeros = projections.iter().map(|one| one.zeros).sum();
            let projections = projections.into();
            LayerView { heads, kv_heads: heads, head_dim: 32, ffn: 688, parameters, zeros, projections }
        };
        let layers: Vec<LayerView> = heads.into_iter().map(layer).collect();
        ModelView {
            reference: reference.into(),
            family: "LLaMA".into(),
            dtype: "f32".into(),
            hidden: 256,
            vocabulary: 4_096,
            context: 1_024,
            tied: true,
            has_tokenizer: true,
            parameters: layers.iter().map(|layer| layer.parameters).sum::<u64>() + 256 * 4_096,
            zeros: layers.iter().map(|layer| layer.zeros).sum(),
            pattern: (zeros == 50).then(|| "2:4".into()),
            assumed: vec![],
            layers,
        }
    };
    ModelsView {
        dense: Some(model("models/dense", 0, [8; 4])),
        pruned: Some(model("models/pruned", 50, [8, 6, 8, 8])),
        between: Some(BetweenView {
            equal: 11,
            changed: 28,
            only_dense: 0,
            only_pruned: 0,
            tokenizers_agree: true,
            tokenizer_difference: None,
        }),
        seconds: 0.4,
    }
}
