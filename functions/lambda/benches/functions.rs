//! `make bench-lambda`: how large the functions are, how much memory they take, how soon they answer.
//!
//! Measured are binaries that were built before, as they are deployed; this program is the world around them.
//! It asserts nothing but that answers are right: a time is a number, not a test.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "helpers of tests, of which only a part is used here; whoever measures reads a panic too"
)]

#[path = "../tests/bootstraps/cloud.rs"]
mod cloud;
#[path = "../tests/bootstraps/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use self::world::World;

/// How often a function is started.
const STARTS: usize = 10;
/// How many events it gets after the first.
const LATER: usize = 20;
/// Clustera's stack, and its definitions.
const STACK: &str = "development";
const DEFINITIONS: &str = "../../definitions";
/// What each function is to hold.
const ZIP_BYTES_MAX: u64 = 8 * 1024 * 1024;
const RESIDENT_BYTES_MAX: u64 = 32_000_000;
const FIRST_MAX: Duration = Duration::from_millis(50);

const NAMES: [&str; 3] = ["schedule", "reconcile", "http"];
const USAGE: &str = "functions FOLDER [RUNNER...]";

/// The command that starts a function: it is `FOLDER/NAME`, or as cargo-lambda has it `FOLDER/NAME/bootstrap`.
/// A runner runs programs of another processor.
fn command(name: &str) -> Command {
    let mut runner = arguments().into_iter().skip(1);
    match runner.next() {
        None => Command::new(binary(name)),
        Some(program) => {
            let mut command = Command::new(program);
            command.args(runner).arg(binary(name));
            command
        }
    }
}

fn binary(name: &str) -> PathBuf {
    let folder = PathBuf::from(arguments().into_iter().next().expect(USAGE));
    let places = [folder.join(name).join("bootstrap"), folder.join(name)];
    let found = places.into_iter().find(|place| place.is_file());
    fs::canonicalize(found.unwrap_or_else(|| panic!("no {name} in {}", folder.display()))).unwrap()
}

/// cargo adds `--bench`.
fn arguments() -> Vec<String> {
    let arguments = std::env::args().skip(1);
    arguments.filter(|one| one != "--bench").collect()
}

fn main() {
    let mut missed = Vec::new();
    say(&format!(
        "{} starts of each function: ms from the start of its process to its first answer, and the fastest median of {LATER} later \
         ones. `reconcile` checks Clustera's clean stack `{STACK}`, `schedule` ticks, `http` answers /version.\n",
        STARTS
    ));
    say(
        "function   binary MiB  zip MiB  resident MiB  peak MiB  first: fastest  median  slowest  later\n",
    );
    for name in NAMES {
        let binary = binary(name);
        let zip_bytes = zipped(&binary);
        let mut starts = Vec::new();
        World::tell(async |world| {
            prepare(&world).await;
            for _ in 0..STARTS {
                starts.push(start(&world, name).await);
            }
        });
        let mut firsts: Vec<_> = starts.iter().map(|start| start.first).collect();
        firsts.sort_unstable();
        let (fastest, median, slowest) = (firsts[0], firsts[STARTS / 2], firsts[STARTS - 1]);
        let resident_bytes = starts
            .iter()
            .map(|start| start.resident_bytes)
            .max()
            .unwrap();
        let peak_bytes = starts.iter().map(|start| start.peak_bytes).max().unwrap();
        let later = starts.iter().map(|start| start.later).min().unwrap();
        say(&format!(
            "{name:<9}  {:>10}  {:>7}  {:>12}  {:>8}  {:>14}  {:>6}  {:>7}  {:>5}\n",
            mib(fs::metadata(&binary).unwrap().len()),
            mib(zip_bytes),
            mib(resident_bytes),
            mib(peak_bytes),
            ms(fastest),
            ms(median),
            ms(slowest),
            ms(later),
        ));
        for (is_missed, what) in [
            (zip_bytes > ZIP_BYTES_MAX, "size"),
            (peak_bytes > RESIDENT_BYTES_MAX, "memory"),
            (median > FIRST_MAX, "first answer"),
        ] {
            missed.extend(is_missed.then(|| format!("{what} of {name}")));
        }
    }
    say(&match missed.as_slice() {
        [] => "aims (zip 8 MiB, 32 MB resident, first answer within 50 ms): held\n".to_owned(),
        missed => format!("aims MISSED: {}\n", missed.join(", ")),
    });
}

/// What one start of a function came to.
struct Started {
    first: Duration,
    later: Duration,
    resident_bytes: u64,
    peak_bytes: u64,
}

/// Pushes and deploys the stack, by the function that does that.
async fn prepare(world: &World) {
    let mut files = BTreeMap::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(DEFINITIONS);
    read(&folder, &folder, &mut files);
    world.push_files(STACK, files).await;
    let reconcile = world.start("reconcile", &[]).await;
    let apply = json!({"format": 1, "work": {"apply": {"stack": STACK, "because": "it is new"}}});
    let stays = world.deliver(&[(&apply.to_string(), "stack", 1)]).await;
    let runs = reconcile.logs_saying("run ended");
    let verdicts: Vec<_> = runs.iter().map(|run| &run["verdict"]).collect();
    assert_eq!(
        (stays.len(), verdicts),
        (0, vec![&json!("clean")]),
        "{runs:?}"
    );
}

fn read(folder: &Path, top: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => read(&path, top, files),
            false if path.extension().is_some_and(|end| end == "yaml") => {
                let name = path.strip_prefix(top).unwrap().to_str().unwrap();
                files.insert(name.to_owned(), fs::read_to_string(&path).unwrap());
            }
            false => {}
        }
    }
}

/// Starts a function, and gives it events.
async fn start(world: &World, name: &str) -> Started {
    world.sandbox.clear_requests();
    let began = now();
    let running = world.run(name, &[]).await;
    answer(world, name).await;
    let first = began.elapsed();
    assert_eq!(name == "reconcile", !world.sandbox.requests().is_empty());
    let mut later = Vec::new();
    for _ in 0..LATER {
        let began = now();
        answer(world, name).await;
        later.push(began.elapsed());
    }
    later.sort_unstable();
    Started {
        first,
        later: later[LATER / 2],
        resident_bytes: of_status(running.process.id(), "VmRSS:"),
        peak_bytes: of_status(running.process.id(), "VmHWM:"),
    }
}

async fn answer(world: &World, name: &str) {
    match name {
        "schedule" => assert_eq!(world.invoke(json!({})).await, Ok(Value::Null)),
        "http" => {
            let http = json!({"method": "GET", "path": "/version"});
            let event = json!({
                "version": "2.0",
                "rawPath": "/version",
                "rawQueryString": "",
                "headers": {},
                "requestContext": {"timeEpoch": 0, "http": http},
                "isBase64Encoded": false,
            });
            assert_eq!(world.invoke(event).await.unwrap()["statusCode"], 200);
        }
        _ => {
            let check = json!({"stacks": [STACK], "tick_ms": 1, "not_before_ms": 1});
            let body = json!({"format": 1, "work": {"check": check}}).to_string();
            assert_eq!(world.deliver(&[(&body, "check-1", 1)]).await, [0; 0]);
        }
    }
}

/// How many bytes a function's archive has, made as for Lambda: one file, `bootstrap`.
fn zipped(binary: &Path) -> u64 {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let options = options.unix_permissions(0o755);
    archive.start_file("bootstrap", options).unwrap();
    archive.write_all(&fs::read(binary).unwrap()).unwrap();
    archive.finish().unwrap().into_inner().len() as u64
}

/// A line of what Linux tells of a process, in bytes.
fn of_status(id: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

fn mib(bytes: u64) -> String {
    let tenths = bytes * 10 / (1024 * 1024);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn ms(time: Duration) -> String {
    let tenths = time.as_micros() / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures real time; nothing depends on it"
)]
fn now() -> Instant {
    Instant::now()
}

fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
