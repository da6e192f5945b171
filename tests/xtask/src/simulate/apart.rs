//! A thread and a runtime of their own for each life, so that nothing of one reaches the next.

use std::fmt;

use anyhow::Result;
use drplan::rehearse::Turnstile;

/// The stack of the thread that a life runs in; futures of a debug build are large.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// Why a life says nothing.
#[derive(Debug)]
pub(super) enum Broke {
    /// It panicked, and said why on standard error.
    Panicked,
    /// It never began.
    NoThread(std::io::Error),
}

impl fmt::Display for Broke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked => f.write_str("it panicked, as stands above"),
            Self::NoThread(_) => f.write_str("there is no thread for it"),
        }
    }
}

impl std::error::Error for Broke {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Panicked => None,
            Self::NoThread(error) => Some(error),
        }
    }
}

/// Lives to the end, in paused time.
pub(super) fn apart<T: Send, L: Future<Output = Result<T>>>(
    life: impl FnOnce() -> L + Send,
) -> Result<Result<T>, Broke> {
    let whole = || {
        // There is no driver of sockets: nothing here may have one.
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let turnstile = Turnstile::default();
        turnstile.between(&mut builder);
        let runtime = builder.enable_time().build()?;
        let lived = runtime.block_on(life());
        turnstile.open();
        runtime.shutdown_background();
        lived
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, whole);
        let thread = thread.map_err(Broke::NoThread)?;
        thread.join().map_err(|_| Broke::Panicked)
    })
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn an_error_of_a_life_is_told_from_a_panic() {
        let lived = apart(async || Ok(7)).map(|lived| lived.ok());
        assert!(matches!(lived, Ok(Some(7))), "{lived:?}");
        let failed = apart::<(), _>(async || bail!("no world"));
        assert!(matches!(failed, Ok(Err(_))), "{failed:?}");
        let panicked = apart::<(), _>(async || panic!("a life in a test"));
        assert!(matches!(panicked, Err(Broke::Panicked)), "{panicked:?}");
    }
}
