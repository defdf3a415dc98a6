//! Whole checks by the program itself, over sockets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use crate::Failure;
use crate::made::{self, Amounts};
use crate::measure::{fastest, mib, ms, now, peak_kib};
use crate::sandbox::Sandbox;
use crate::table::Table;

const SIZES: [usize; 3] = [40, 1_000, 10_000];
const DELAYS_MS: [u64; 2] = [0, 50];
/// Runs of which the fastest counts.
const RUNS: usize = 3;
/// How often a process is asked for its peak memory.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// One stack with its definitions, its store and a world that is as they say.
pub(crate) struct Stack {
    kedge: PathBuf,
    folder: TempDir,
    pub(crate) sandbox: Sandbox,
}

/// What a program came to.
pub(crate) struct Ended {
    pub(crate) took: Duration,
    pub(crate) peak_kib: Option<u64>,
    pub(crate) requests: usize,
    pub(crate) text: String,
}

impl Stack {
    /// Makes it, and records it.
    pub(crate) fn make(kedge: &Path, amounts: Amounts) -> Result<Self, Failure> {
        let sandbox = Sandbox::start(kedge)?;
        sandbox.fill(amounts)?;
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("store"))?;
        for (path, text) in made::definitions(amounts) {
            let path = folder.path().join("definitions").join(path);
            fs::create_dir_all(path.parent().ok_or("no folder")?)?;
            fs::write(path, text)?;
        }
        let stack = Self {
            kedge: kedge.to_owned(),
            folder,
            sandbox,
        };
        let recorded = stack.kedge(&["up", "--yes"])?;
        if recorded.requests == 0 {
            return Err(format!("nothing was recorded: {}", recorded.text).into());
        }
        Ok(stack)
    }

    /// The folder of its own.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a verb that ends well.
    pub(crate) fn kedge(&self, verb: &[&str]) -> Result<Ended, Failure> {
        let mut command = Command::new(&self.kedge);
        command
            .args(["--stack", made::STACK, "--store", "file://store"])
            .args(verb);
        self.run(command)
    }

    /// Runs any program against the sandbox, in the folder, to a good end.
    pub(crate) fn run(&self, mut command: Command) -> Result<Ended, Failure> {
        self.sandbox.forget_requests()?;
        let errors = self.folder().join("errors");
        command
            .current_dir(self.folder())
            .env("HOME", self.folder())
            .envs(self.sandbox.environment())
            .stdin(Stdio::null())
            .stdout(fs::File::create(self.folder().join("said"))?)
            .stderr(fs::File::create(&errors)?);
        let began = now();
        let mut process = command.spawn()?;
        let id = process.id().to_string();
        let mut peak = None;
        let status = loop {
            // The mark only rises, so the last look before the end is the nearest.
            peak = peak_kib(&id).max(peak);
            match process.try_wait()? {
                Some(status) => break status,
                None => sleep_for(LOOK_EVERY),
            }
        };
        let took = began.elapsed();
        let text = fs::read_to_string(self.folder().join("said"))?;
        if !status.success() {
            let why = fs::read_to_string(errors)?;
            let shown: String = text.chars().take(2_000).collect();
            return Err(format!("{command:?}: {status}\n{shown}{why}").into());
        }
        Ok(Ended {
            took,
            peak_kib: peak,
            requests: self.sandbox.requests()?,
            text,
        })
    }

    /// The fastest of some runs of a program, each made anew.
    pub(crate) fn best(&self, make: impl Fn() -> Command) -> Result<Ended, Failure> {
        let mut ended = self.run(make())?;
        for _ in 1..RUNS {
            let next = self.run(make())?;
            ended.took = fastest(vec![ended.took, next.took]);
            ended.peak_kib = ended.peak_kib.max(next.peak_kib);
        }
        Ok(ended)
    }

    /// `kedge check`, as a command of its own.
    pub(crate) fn check(&self) -> Command {
        let mut command = Command::new(&self.kedge);
        command.args(["--stack", made::STACK, "--store", "file://store", "check"]);
        command
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark waits in real time for a process"
)]
fn sleep_for(time: Duration) {
    sleep(time);
}

/// Prints the table of whole checks.
pub(crate) fn run(kedge: &Path) -> Result<(), Failure> {
    let mut table = Table::new(&[
        "topics, records",
        "subscriptions",
        "requests",
        "ms at 0 ms",
        "ms at 50 ms",
        "depth",
        "peak MiB",
    ]);
    for size in SIZES {
        let amounts = Amounts::check(size);
        let stack = Stack::make(kedge, amounts)?;
        let mut runs = Vec::new();
        for delay_ms in DELAYS_MS {
            stack.sandbox.delay(delay_ms)?;
            runs.push(stack.best(|| stack.check())?);
        }
        let [near, far] = runs.as_slice() else {
            return Err("two runs".into());
        };
        table.row(vec![
            format!("{size} each"),
            amounts.subscriptions.to_string(),
            far.requests.to_string(),
            ms(near.took),
            ms(far.took),
            depth(near.took, far.took),
            mib(near.peak_kib.max(far.peak_kib)),
        ]);
    }
    table.print(
        "2. A whole `kedge check` of a clean stack over sockets: the fastest of 3; depth is the \
         time added by 50 ms per answer, in such answers",
    );
    Ok(())
}

/// How many answers were waited for one after the other, with one place.
fn depth(near: Duration, far: Duration) -> String {
    let tenths = far.saturating_sub(near).as_millis() / 5;
    format!("{}.{}", tenths / 10, tenths % 10)
}
