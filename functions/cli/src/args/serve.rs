//! The flags of `kedge serve`.

use std::net::SocketAddr;
use std::time::Duration;

use super::span;

/// Where HTTP is answered where nobody says: on this machine only.
const LISTEN: &str = "127.0.0.1:8650";

#[derive(Debug, clap::Args)]
pub(crate) struct ServeOptions {
    /// Where to answer HTTP. Port 0 uses a free one. What comes from outside needs a proxy with TLS
    /// before it.
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN, value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// How many runs work side by side.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) concurrency: u16,
    /// How often to look for what is due, for uploads and for new definitions: 60s, 5m.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = tick_span)]
    pub(crate) tick_every: Duration,
    /// Try it without accounts: a sandbox with stacks in it, in which somebody changes things now and
    /// then, and a store of its own.
    #[arg(long)]
    pub(crate) sandbox: bool,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let fail = |_| format!("write an IP address and a port, such as {LISTEN} or [::1]:8650");
    text.parse().map_err(fail)
}

/// A second to ten minutes: more often finds nothing new, and after fifteen without a tick `/healthz` says
/// that none came.
fn tick_span(text: &str) -> Result<Duration, String> {
    let ms = span(text)?;
    match u64::try_from(ms) {
        Ok(ms @ 1_000..=600_000) => Ok(Duration::from_millis(ms)),
        _ => Err("from 1s to 10m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_listens() {
        assert_eq!(address("[::1]:80").unwrap().port(), 80);
        let error = address("localhost:80").unwrap_err();
        assert!(error.contains(LISTEN), "{error}");
    }

    #[test]
    fn how_often_it_ticks() {
        assert_eq!(tick_span("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(tick_span("10m"), Ok(Duration::from_secs(600)));
        for bad in ["0s", "11m", "x"] {
            assert!(tick_span(bad).is_err(), "{bad}");
        }
    }
}
