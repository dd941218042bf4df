//! Runs a decoder that panics on some damaged files, so that the file is refused and the program goes on.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static ACTIVE: Cell<bool> = const { Cell::new(false) };
}

/// Is this thread inside a decoder whose panics are told as errors of its file? A panic hook stays silent then.
pub fn guarded() -> bool {
    ACTIVE.get()
}

/// `Err`: what the decoder panicked with.
pub(crate) fn guard<T>(decode: impl FnOnce() -> T) -> Result<T, String> {
    let before = ACTIVE.replace(true);
    // A decoder that panicked is not used again.
    let result = catch_unwind(AssertUnwindSafe(decode));
    ACTIVE.set(before);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("its pages contradict each other").to_owned()
    })
}
