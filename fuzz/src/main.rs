//! `kedge-fuzz TARGET [--seconds N] [--seed N]` feeds a target for a time, `--short` the same few
//! thousand inputs each time;
//! `kedge-fuzz TARGET --replay FILE` feeds it one kept input.

use std::any::Any;
use std::fs;
use std::io::{self, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kedge_fuzz::{Input, Target, corpus};

const USAGE: &str = "kedge-fuzz TARGET [--seconds N] [--seed N]   feed a target for so long (15)
kedge-fuzz TARGET --short                     feed it a fixed number of inputs of seed 1
kedge-fuzz TARGET --replay FILE               feed it one kept input
targets: definitions, stored, aiven, pubsub, cloudflare
";
/// An input that takes longer hangs: the slowest honest one takes some hundredths of a second.
const HANG_S: u64 = 30;
/// A short run ends even on a slow machine.
const SHORT_WITHIN_S: u64 = 60;
/// Where bad inputs are kept.
const KEPT: &str = "target/fuzz";

struct Options {
    target: Target,
    seconds: u64,
    executions: u64,
    seed: u64,
    replay: Option<String>,
}

fn main() -> ExitCode {
    let Some(options) = options(std::env::args().skip(1)) else {
        say(USAGE);
        return ExitCode::from(1);
    };
    let done = match &options.replay {
        Some(file) => replay(&options, Path::new(file)),
        None => feed(&options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            say(&format!("error: {error}\n"));
            ExitCode::from(1)
        }
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options {
        target: Target::parse(&words.next()?)?,
        seconds: 15,
        executions: u64::MAX,
        seed: seed_of_now(),
        replay: None,
    };
    while let Some(word) = words.next() {
        if word == "--short" {
            options.executions = options.target.short_run();
            (options.seconds, options.seed) = (SHORT_WITHIN_S, 1);
            continue;
        }
        let value = words.next()?;
        match word.as_str() {
            "--seconds" => options.seconds = value.parse().ok()?,
            "--seed" => options.seed = value.parse().ok()?,
            "--replay" => options.replay = Some(value),
            _ => return None,
        }
    }
    Some(options)
}

/// A new seed for each run, short enough to type.
#[expect(
    clippy::disallowed_methods,
    reason = "each run should try something new; the seed is printed"
)]
fn seed_of_now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |since| since.as_secs() % 1_000_000_000)
}

fn say(text: &str) {
    // Nobody is left to be told that nothing can be told.
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

fn replay(options: &Options, file: &Path) -> io::Result<bool> {
    let input = Input::from_json(&fs::read(file)?).map_err(io::Error::other)?;
    Ok(match options.target.run(&input) {
        Ok(()) => {
            say("nothing is wrong\n");
            true
        }
        Err(wrong) => {
            say(&format!("wrong: {wrong}\n"));
            false
        }
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long to go on is a matter of real time, and an endless loop has no steps to count"
)]
fn feed(options: &Options) -> io::Result<bool> {
    let target = options.target;
    let corpus = corpus(target)?;
    let (name, seed) = (target.as_str(), options.seed);
    let begun = Instant::now();
    let number = Arc::new(AtomicU64::new(0));
    watch(target, corpus.clone(), seed, Arc::clone(&number));
    panic::set_hook(Box::new(|_| {}));
    let is_over = |at| at >= options.executions;
    while begun.elapsed() < Duration::from_secs(options.seconds)
        && !is_over(number.load(Ordering::Relaxed))
    {
        let at = number.fetch_add(1, Ordering::Relaxed);
        let input = target.input(&corpus, seed, at);
        if let Some(wrong) = wrong(target, &input) {
            let input = smaller(target, input);
            keep(target, seed, at, &input, &wrong)?;
            return Ok(false);
        }
    }
    let executions = number.load(Ordering::Relaxed);
    let seconds = begun.elapsed().as_secs();
    say(&format!(
        "fuzz {name}: {executions} executions in {seconds} s, seed {seed}, nothing found\n"
    ));
    Ok(true)
}

/// What is wrong with an input, a panic included.
fn wrong(target: Target, input: &Input) -> Option<String> {
    match panic::catch_unwind(AssertUnwindSafe(|| target.run(input))) {
        Ok(result) => result.err(),
        Err(panic) => Some(format!("a panic: {}", said(panic.as_ref()))),
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_default()
}

/// The input without what it is bad without: parts, then lines.
fn smaller(target: Target, mut input: Input) -> Input {
    let mut at = 0;
    while at < input.parts.len() {
        let mut less = input.clone();
        less.parts.remove(at);
        if wrong(target, &less).is_some() {
            input = less;
        } else {
            at += 1;
        }
    }
    for at in 0..input.parts.len() {
        for size in [64, 16, 4, 1] {
            let mut line = 0;
            while let Some(less) = without_lines(&input, at, line, size) {
                if wrong(target, &less).is_some() {
                    input = less;
                } else {
                    line += size;
                }
            }
        }
    }
    input
}

/// The input with some lines of a part left out; none where there are no such lines.
fn without_lines(input: &Input, part: usize, first: usize, size: usize) -> Option<Input> {
    let mut less = input.clone();
    let bytes = &mut less.parts.get_mut(part)?.bytes;
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    if lines.len() <= first {
        return None;
    }
    lines.drain(first..lines.len().min(first + size));
    *bytes = lines.concat();
    Some(less)
}

fn keep(target: Target, seed: u64, number: u64, input: &Input, wrong: &str) -> io::Result<()> {
    let name = target.as_str();
    fs::create_dir_all(KEPT)?;
    let file = format!("{KEPT}/{name}-{seed}-{number}.json");
    fs::write(&file, format!("{:#}\n", input.to_json()))?;
    say(&format!(
        "fuzz {name}: wrong: {wrong}\n  seed {seed}, execution {number}, kept in {file}\n  \
         again: cargo run --profile fuzz -p kedge-fuzz -- {name} --replay {file}\n  \
         when mended: move it to fuzz/crashes/{name}/ under a name that says what it was\n"
    ));
    Ok(())
}

/// Ends the process when one input takes too long, and keeps that input.
#[expect(
    clippy::disallowed_methods,
    reason = "only another thread sees an endless loop"
)]
fn watch(target: Target, corpus: Input, seed: u64, number: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        let mut last = u64::MAX;
        loop {
            std::thread::sleep(Duration::from_secs(HANG_S));
            let now = number.load(Ordering::Relaxed);
            if now == last {
                let at = now.saturating_sub(1);
                let input = target.input(&corpus, seed, at);
                let wrong = format!("it takes longer than {HANG_S} s");
                let _ = keep(target, seed, at, &input, &wrong);
                std::process::exit(2);
            }
            last = now;
        }
    });
}
