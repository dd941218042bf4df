//! The engine in the same process: answers come from a closure, columns from a map. What the tests of the window
//! run against, without a server.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use paser_protocol::{Failure, Reply, Report, Request, Script};

use super::{Done, Incoming, PickKind, Saved, Transport};

/// Answers one request.
pub type Answer = Box<dyn FnMut(&Request) -> Result<Reply, Report>>;

/// What a test looks at and changes while the window runs.
#[derive(Default)]
pub struct Shared {
    pub columns: BTreeMap<String, Vec<u8>>,
    /// Every request so far, in order.
    pub requests: Vec<Request>,
    /// The path that the next dialogs return.
    pub picked: Option<String>,
    /// The window shows another program's project.
    pub attached: bool,
    /// It turned to its own engine.
    pub turned: bool,
    /// Scripts that fonts were asked for, and the answer to each; none: there is no font.
    pub scripts: Vec<Script>,
    pub font: Option<Vec<u8>>,
    /// Files handed to the person: name and contents.
    pub downloads: Vec<(String, Vec<u8>)>,
    /// Requests whose answers wait until they are let go.
    pub hold: Option<fn(&Request) -> bool>,
    held: Vec<Box<dyn FnOnce()>>,
    listener: Option<Rc<dyn Fn(Incoming)>>,
}

pub struct Local {
    answer: Rc<RefCell<Answer>>,
    shared: Rc<RefCell<Shared>>,
    dialogs: bool,
}

impl Local {
    pub fn new(answer: Answer, columns: BTreeMap<String, Vec<u8>>, dialogs: bool) -> Self {
        let shared = Rc::new(RefCell::new(Shared { columns, ..Shared::default() }));
        Self { answer: Rc::new(RefCell::new(answer)), shared, dialogs }
    }

    pub fn shared(&self) -> Rc<RefCell<Shared>> {
        self.shared.clone()
    }
}

impl Shared {
    /// Sends an event as the engine would. Drop every borrow of `Shared` before calling what this returns.
    pub fn listener(&self) -> Option<Rc<dyn Fn(Incoming)>> {
        self.listener.clone()
    }

    /// The held answers, each given when it is called. Drop every borrow of `Shared` before calling them.
    pub fn let_go(&mut self) -> Vec<Box<dyn FnOnce()>> {
        self.hold = None;
        std::mem::take(&mut self.held)
    }
}

impl Transport for Local {
    fn request(&self, request: Request, done: Done<Reply>) {
        self.shared.borrow_mut().requests.push(request.clone());
        let answer = self.answer.clone();
        let held = self.shared.borrow().hold.is_some_and(|hold| hold(&request));
        let give = move || {
            let reply = (answer.borrow_mut())(&request);
            done(reply);
        };
        if held {
            self.shared.borrow_mut().held.push(Box::new(give));
        } else {
            give();
        }
    }

    fn column(&self, key: &str, done: Done<Vec<u8>>) {
        let found = self.shared.borrow().columns.get(key).cloned();
        done(found.ok_or_else(|| Report::new(Failure::Failed, format!("There is no column `{key}`."), "")));
    }

    fn font(&self, script: Script, done: Done<Vec<u8>>) {
        self.shared.borrow_mut().scripts.push(script);
        let found = self.shared.borrow().font.clone();
        done(found.ok_or_else(|| Report::new(Failure::Machine, format!("No font has {} letters.", script.name()), "")));
    }

    fn events(&self, on: Rc<dyn Fn(Incoming)>) {
        self.shared.borrow_mut().listener = Some(on.clone());
        on(Incoming::Connected(true));
    }

    fn has_dialogs(&self) -> bool {
        self.dialogs
    }

    fn pick(&self, _kind: PickKind, done: Done<Option<String>>) {
        let picked = self.shared.borrow().picked.clone();
        done(Ok(picked));
    }

    fn has_own_engine(&self) -> bool {
        self.shared.borrow().attached
    }

    fn turn_to_own_engine(&self) {
        self.shared.borrow_mut().turned = true;
    }

    fn save(&self, name: &str, bytes: &[u8], done: Done<Saved>) {
        self.shared.borrow_mut().downloads.push((name.to_owned(), bytes.to_owned()));
        let picked = self.shared.borrow().picked.clone();
        done(Ok(match (self.dialogs, picked) {
            (false, _) => Saved::Browser,
            (true, Some(path)) => Saved::At(path),
            (true, None) => Saved::Dismissed,
        }));
    }
}
