//! A project that another process of this machine owns: its server is asked what this process would otherwise do
//! itself. The owner's note in the project's lock says where it answers and with which token.

use std::{path::Path, time::Duration};

use paser_engine::{Address, owner_of};
use paser_protocol::{Failure, Reply, Report, Request};

/// A server on the loopback interface answers a greeting at once, or is not there.
const GREETING: Duration = Duration::from_secs(5);

/// The living owner of a project, ready to be asked.
pub struct Remote {
    address: Address,
    agent: ureq::Agent,
}

impl Remote {
    /// The server of the process that owns the project in `folder`; none where nobody does, or the owner serves nobody.
    pub fn of(folder: &Path) -> Option<Self> {
        let address = owner_of(folder)?.address?;
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
        let remote = Self { address, agent: config.into() };
        remote.ask_within(&Request::Hello, Some(GREETING)).is_ok().then_some(remote)
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The address of the owner's window, token included.
    pub fn url(&self) -> String {
        format!("{}/?token={}", self.address.base, self.address.token)
    }

    /// # Errors
    /// What the owner says; or it is gone.
    pub fn ask(&self, request: &Request) -> Result<Reply, Report> {
        self.ask_within(request, None)
    }

    fn ask_within(&self, request: &Request, time: Option<Duration>) -> Result<Reply, Report> {
        let mut answer = self
            .agent
            .post(format!("{}/api/request", self.address.base))
            .config()
            .timeout_global(time)
            .build()
            .header("authorization", format!("Bearer {}", self.address.token))
            .send_json(request)
            .map_err(|error| self.gone(&error.to_string()))?;
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(u64::MAX).read_to_vec();
        let body = body.map_err(|error| self.gone(&error.to_string()))?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|error| self.gone(&format!("its answer is not understood: {error}")));
        }
        Err(serde_json::from_slice(&body).unwrap_or_else(|_| self.gone(&format!("it answered with status {status}"))))
    }

    fn gone(&self, why: &str) -> Report {
        Report::new(
            Failure::ComeBack,
            format!("the program that has the project open does not answer at {}: {why}", self.address.base),
            "Try again: if it is gone, the command works on the project itself.",
        )
    }
}
