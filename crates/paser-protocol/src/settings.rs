//! How the engine works on its machine, and what it keeps there that can be had again.

use serde::{Deserialize, Serialize};

/// What a person may set; kept in the engine's state folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EngineSettings {
    /// Processor threads of a run; 0: all.
    pub threads: u32,
    /// Bytes of memory that a stage may need; none: no limit.
    pub memory: Option<u64>,
}

/// Where models can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceView {
    pub name: String,
    /// Why it is not there; none where it is in use.
    pub missing: Option<String>,
}

/// Something on disk that can be had again: by the network or by computing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheView {
    /// What it is cleared by.
    pub id: String,
    /// What a person reads.
    pub name: String,
    pub path: String,
    pub bytes: u64,
    /// What clearing costs.
    pub cost: String,
    /// Why it cannot be cleared now.
    pub held: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsView {
    pub settings: EngineSettings,
    /// Threads of this machine.
    pub threads: u32,
    /// Threads were fixed when the engine was started, and win over the setting.
    pub threads_fixed: Option<u32>,
    /// 0 where the system does not tell.
    pub memory: u64,
    pub devices: Vec<DeviceView>,
    pub caches: Vec<CacheView>,
    pub state_folder: String,
    /// Why the kept settings could not be read.
    pub trouble: Option<String>,
}
