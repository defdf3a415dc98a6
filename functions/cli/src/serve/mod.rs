//! `kedge serve`: automation on one machine. Ticks, the queue and HTTP in one process, over the same
//! service as the functions.
//!
//! A stop or a crash loses nothing: what was under way is found out by reading, and what waited is derived
//! again from the store by the first tick. Several instances may share one store.

mod home;
mod http;
mod queue;
mod sandbox;
mod ticker;
mod worker;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::LocalSet;

use self::home::Home;
use crate::args::{Args, ServeOptions};
use crate::error::CliError;

/// How long a stop waits for runs under way. One that takes longer is cut off, and the next run finds out
/// what it did. A service manager must wait longer than this before it kills.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// Serves until it is stopped (SIGTERM, Ctrl-C).
pub(crate) async fn run(args: &Args, options: &ServeOptions) -> Result<u8, CliError> {
    if options.sandbox {
        return sandbox::serve(options).await;
    }
    let home = Rc::new(Home::of(args)?);
    let listener = listen(options.listen).await?;
    serve(&home, listener, options).await
}

async fn serve(
    home: &Rc<Home>,
    listener: TcpListener,
    options: &ServeOptions,
) -> Result<u8, CliError> {
    let at = listener.local_addr().map_err(CliError::Serve)?;
    tracing::info!(%at, store = home.store_text(), version = env!("CARGO_PKG_VERSION"), "serving");
    let (stop, stopping) = watch::channel(false);
    let local = LocalSet::new();
    let running = local.run_until(async {
        let http = http::serve(Rc::clone(home), listener, stopping.clone());
        let ticks = ticker::tick(home, options.tick_every, stopping.clone());
        let works = worker::work(home, options.concurrency.into(), stopping.clone());
        let signals = async {
            signals(home).await;
            tracing::info!(
                "stopping: runs under way get {} s, or until the next signal",
                STOPS_WITHIN.as_secs()
            );
            home.instance.stop();
            let _ = stop.send(true);
            tokio::select! {
                () = tokio::time::sleep(STOPS_WITHIN) => {}
                () = signals(home) => {}
            }
            tracing::warn!("stopped with runs under way; the next run finds out what they did");
        };
        tokio::select! {
            _ = async { tokio::join!(http, ticks, works) } => {}
            () = signals => {}
        }
    });
    running.await;
    // What was cut off says so first.
    drop(local);
    tracing::info!("stopped");
    Ok(0)
}

async fn listen(at: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(at)
        .await
        .map_err(|source| CliError::ListenAt { at, source })
}

/// Returns when the process is to stop. SIGHUP reads the settings again.
#[cfg(unix)]
async fn signals(home: &Home) {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
    ];
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = kinds.map(signal) else {
        tracing::warn!("signals can't be received; only a kill stops this process");
        return std::future::pending().await;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            _ = hangup.recv() => home.reload(),
        }
    }
}

/// Returns when the process is to stop.
#[cfg(not(unix))]
async fn signals(_: &Home) {
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Command;

    const UNIT: &str = include_str!("../../../../deploy/systemd/kedge.service");
    const DOCKERFILE: &str = include_str!("../../../../deploy/Dockerfile");

    /// What follows this on the one line of a file that begins with it.
    fn after<'a>(text: &'a str, begin: &str) -> &'a str {
        let mut found = text.lines().filter_map(|line| line.strip_prefix(begin));
        let one = found.next().unwrap();
        assert_eq!(found.next(), None, "{begin} is there twice");
        one
    }

    fn options<'a>(words: impl IntoIterator<Item = &'a str>) -> ServeOptions {
        match Args::try_parse_from(words).unwrap().verb {
            Command::Serve(options) => options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_unit_of_systemd_starts_it_and_waits_for_its_stop() {
        let started = options(after(UNIT, "ExecStart=").split(' '));
        assert!(started.listen.ip().is_loopback() && !started.sandbox);
        let waits = after(UNIT, "TimeoutStopSec=").strip_suffix('s').unwrap();
        assert!(waits.parse::<u64>().unwrap() > STOPS_WITHIN.as_secs());
        assert_eq!(after(UNIT, "ExecReload="), "/bin/kill -HUP $MAINPID");
    }

    #[test]
    fn the_image_starts_it_and_is_built_by_the_oldest_rust_that_works() {
        let words = |begin| serde_json::from_str::<Vec<String>>(after(DOCKERFILE, begin)).unwrap();
        let words = [words("ENTRYPOINT "), words("CMD ")].concat();
        let started = options(words.iter().map(String::as_str));
        assert_eq!(started.listen, SocketAddr::from(([0, 0, 0, 0], 8650)));
        assert_eq!(
            after(DOCKERFILE, "ARG RUST_VERSION="),
            env!("CARGO_PKG_RUST_VERSION")
        );
    }
}
