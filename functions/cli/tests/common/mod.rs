//! What the tests of the command line share: a sandbox process, answers of `kedge`, and what is said of
//! them.

#[path = "../../../../shared/core/src/render/tests/documents/judge.rs"]
mod judge;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// `kedge`, as it was built for the tests.
pub(crate) const KEDGE: &str = env!("CARGO_BIN_EXE_kedge");

/// A sandbox process, which ends with its test.
pub(crate) struct Sandbox {
    process: Child,
    /// Where it listens: `127.0.0.1:12345`.
    pub(crate) address: String,
}

impl Sandbox {
    /// Starts one on a free port.
    pub(crate) fn start() -> Self {
        let mut process = Command::new(KEDGE)
            .args(["sandbox", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let rest = line.split("http://").nth(1).unwrap();
        let address = rest.split(' ').next().unwrap().to_owned();
        Self { process, address }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a command answered.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    /// Of a command that ended.
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// It ended with this exit code and said these things.
#[track_caller]
pub(crate) fn expect(answer: &Answer, code: i32, parts: &[&str]) {
    let text = format!("{}\n--- standard error\n{}", answer.out, answer.err);
    assert_eq!(answer.code, code, "{text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

/// What is said in JSON is as the schema in `docs/schema` says.
#[track_caller]
pub(crate) fn fits(schema: &str, answer: &Answer) -> serde_json::Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema");
    let text = fs::read_to_string(folder.join(format!("{schema}.json"))).unwrap();
    let schema = serde_json::from_str(&text).unwrap();
    let json = serde_json::from_str(&answer.out).unwrap_or_default();
    let schema = judge::strict(&schema);
    let wrong = jsonschema::draft202012::validate(&schema, &json).err();
    let wrong = wrong.map(|wrong| wrong.to_string());
    assert_eq!(wrong, None, "{json:#}\n{}", answer.err);
    json
}
