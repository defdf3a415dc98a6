//! Time, memory, and the machine they are measured on.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What a piece of work came to, and the processor time that this thread spent on it.
pub(crate) fn worked<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = processor_time();
    let made = work();
    (made, processor_time().saturating_sub(began))
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// The fastest of some runs: what else goes on in the machine only ever adds to a run.
pub(crate) fn fastest(runs: Vec<Duration>) -> Duration {
    runs.into_iter().min().unwrap_or_default()
}

/// Milliseconds with so many places as are worth reading.
pub(crate) fn ms(time: Duration) -> String {
    let micros = time.as_micros();
    match micros {
        0..10_000 => format!("{}.{:02}", micros / 1_000, micros % 1_000 / 10),
        10_000..100_000 => format!("{}.{}", micros / 1_000, micros % 1_000 / 100),
        _ => (micros / 1_000).to_string(),
    }
}

/// The most memory a process had resident so far, in KiB; none where Linux's `/proc` is not there.
pub(crate) fn peak_kib(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Mebibytes with one place, or a dash.
pub(crate) fn mib(kib: Option<u64>) -> String {
    kib.map_or("-".to_owned(), |kib| {
        format!("{}.{}", kib / 1_024, kib % 1_024 * 10 / 1_024)
    })
}

/// Cores and compiler: what the numbers depend on.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let said = Command::new("rustc").arg("--version").output();
    let rustc = said
        .ok()
        .and_then(|said| String::from_utf8(said.stdout).ok());
    format!(
        "machine: {cores} cores, {} {}; {}; kedge {}",
        std::env::consts::OS,
        std::env::consts::ARCH,
        rustc.as_deref().unwrap_or("rustc unknown").trim(),
        env!("CARGO_PKG_VERSION"),
    )
}
