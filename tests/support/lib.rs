//! Drives the real programs as a person does: the command line, the desktop window under a screen of its own, and the
//! same window in a browser.

pub mod processes;
mod programs;
mod project;
mod screen;
mod story;
mod webdriver;
mod window;

pub use programs::{Served, command, program};
pub use project::{AtWork, Bench, finished_shards, is_alive, kill, selections, wait_for, worker, workers_started};
pub use screen::Screen;
pub use story::Left;
pub use webdriver::{Driver, Session};
pub use window::Window;
