//! Feeds what comes from outside, mutated, to whatever reads it: definition files, stored state,
//! and the providers' answers.
//!
//! The way through it: a [`Target`] has a committed corpus ([`corpus`]); `mutate` makes an
//! [`Input`] of it, the same for the same seed and number; [`Target::run`] hands it to the reader
//! and says what is wrong with what came back. `main.rs` repeats that for a time. An input that was
//! found bad is kept in `crashes/`, and a test runs all of them again.
//!
//! Steps are counted, not timed: requests of a read, problems of a set, virtual time. Only an
//! endless loop within one step needs a clock, and `main.rs` has it.

mod definitions;
mod input;
mod mutate;
mod pipeline;
mod place;
mod proof;
mod stored;
mod wire;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kedge_sandbox::SplitMix64;

pub use input::{Input, Part};

/// What is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The definitions parser.
    Definitions,
    /// State and watch, and what lies beside them, as they are stored.
    Stored,
    /// Aiven's answers.
    Aiven,
    /// Pub/Sub's answers.
    Pubsub,
    /// Cloudflare's answers.
    Cloudflare,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Definitions,
        Self::Stored,
        Self::Aiven,
        Self::Pubsub,
        Self::Cloudflare,
    ];

    /// Its name, on the command line and as a folder of the corpus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Definitions => "definitions",
            Self::Stored => "stored",
            Self::Aiven => "aiven",
            Self::Pubsub => "pubsub",
            Self::Cloudflare => "cloudflare",
        }
    }

    /// The target of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }

    /// The input that belongs to a seed and a number.
    #[must_use]
    pub fn input(self, corpus: &Input, seed: u64, number: u64) -> Input {
        let mut random = SplitMix64::new(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        match self {
            Self::Definitions => definitions::input(corpus, &mut random),
            Self::Stored => stored::input(corpus, &mut random),
            Self::Aiven | Self::Pubsub | Self::Cloudflare => wire::input(corpus, &mut random),
        }
    }

    /// How many inputs a short run feeds: some 15 s on two cores, and the same ones wherever it runs.
    #[must_use]
    pub fn short_run(self) -> u64 {
        match self {
            Self::Definitions => 15_000,
            Self::Stored => 60_000,
            Self::Aiven | Self::Pubsub => 7_000,
            Self::Cloudflare => 15_000,
        }
    }

    /// Hands an input to the reader.
    ///
    /// # Errors
    /// What is wrong with what came back.
    pub fn run(self, input: &Input) -> Result<(), String> {
        match self {
            Self::Definitions => definitions::run(input),
            Self::Stored => stored::run(input),
            Self::Aiven | Self::Pubsub | Self::Cloudflare => wire::run(self, input),
        }
    }
}

/// The committed corpus of a target: its files as the parts of one input. The definitions parser is
/// fed the repository's own definitions too.
///
/// # Errors
/// When a file can't be read.
pub fn corpus(target: Target) -> io::Result<Input> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut input = files(&home.join("corpus").join(target.as_str()))?;
    if target == Target::Definitions {
        input
            .parts
            .extend(files(&home.join("../definitions"))?.parts);
        input.parts.retain(|part| part.name.ends_with(".yaml"));
    }
    if target == Target::Stored {
        let samples = home.join("../shared/core/src/stored/samples");
        input.parts.extend(files(&samples)?.parts);
    }
    Ok(input)
}

/// The inputs of a target that were found bad once.
///
/// # Errors
/// When a file can't be read.
pub fn crashes(target: Target) -> io::Result<Vec<(String, Input)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crashes");
    let parts = files(&folder.join(target.as_str()))?.parts;
    let input = |part: Part| {
        let input = Input::from_json(&part.bytes).map_err(io::Error::other)?;
        Ok((part.name, input))
    };
    parts.into_iter().map(input).collect()
}

/// All files under a folder in order of their paths; none if there is no such folder.
fn files(folder: &Path) -> io::Result<Input> {
    let mut input = Input::default();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        let entries = match fs::read_dir(folder.join(&inner)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = inner.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else {
                let name = path.to_string_lossy().replace('\\', "/");
                let bytes = fs::read(entry.path())?;
                input.parts.push(Part { name, bytes });
            }
        }
    }
    input.parts.sort();
    Ok(input)
}

#[cfg(test)]
mod tests;
