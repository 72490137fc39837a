//! The one asynchronous runtime, behind blocking calls.

use std::future::Future;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

/// Waits for a future on the runtime of this process.
///
/// Must not be called from one of its own threads; nothing in this house does,
/// since no room but this one is asynchronous.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let make = || {
        Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("farr-store")
            .enable_all()
            .build()
            .expect("the operating system gives two threads")
    };
    RUNTIME.get_or_init(make).block_on(future)
}
