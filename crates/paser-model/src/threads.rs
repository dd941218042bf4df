//! Where work runs. The decoder computes a call on the calling thread alone; this keeps a caller's own tensor
//! operations (the head, a divergence) on that thread too, so that n callers use n cores.

use std::cell::OnceCell;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::ModelError;

thread_local! {
    static POOL: OnceCell<ThreadPool> = const { OnceCell::new() };
}

/// Runs `work` so that every rayon-parallel operation inside it (candle's matmul, softmax and norms among them) uses
/// one thread and no other caller's. Call it from each of n worker threads to keep n cores busy without contention.
///
/// # Errors
/// [`ModelError::Io`] when the system refuses another thread.
pub fn on_one_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, ModelError> {
    POOL.with(|cell| {
        if cell.get().is_none() {
            let pool =
                ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "paser-one".to_owned()).build().map_err(
                    |error| ModelError::Io { path: "worker thread".into(), source: std::io::Error::other(error) },
                )?;
            // Nobody else can have filled this thread's cell meanwhile.
            let _ = cell.set(pool);
        }
        cell.get()
            .map(|pool| pool.install(work))
            .ok_or_else(|| ModelError::Io { path: "worker thread".into(), source: std::io::Error::other("no pool") })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::on_one_thread;

    #[test]
    fn rayon_inside_sees_one_thread() {
        assert_eq!(on_one_thread(rayon::current_num_threads).unwrap(), 1);
    }

    #[test]
    fn nested_calls_work() {
        assert_eq!(on_one_thread(|| on_one_thread(|| 7).unwrap()).unwrap(), 7);
    }
}
