//! What every test here works with: a sandbox process and a folder with Clustera's definitions.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::common::{Answer, KEDGE, Sandbox};

/// Tokens that must appear in no output.
pub(crate) const TOKENS: [&str; 2] = ["aiven-s3cret-token", "cloudflare-s3cret-token"];

/// A sandbox process and a folder with Clustera's definitions.
pub(crate) struct Desk {
    pub(crate) folder: TempDir,
    sandbox: Sandbox,
    pub(crate) variables: BTreeMap<String, String>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../definitions");
        copy(&source, &folder.path().join("definitions"));
        let sandbox = Sandbox::start();
        let address = &sandbox.address;
        let variables = [
            // Wide enough for every line: a test that is about the width sets its own.
            ("COLUMNS", "1000".to_owned()),
            ("AIVEN_WEB_URL", format!("http://{address}")),
            ("AIVEN_TOKEN", TOKENS[0].to_owned()),
            ("PUBSUB_EMULATOR_HOST", address.clone()),
            ("CLOUDFLARE_BASE_URL", format!("http://{address}/client/v4")),
            ("CLOUDFLARE_API_TOKEN", TOKENS[1].to_owned()),
        ];
        let variables = variables
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        Self {
            folder,
            sandbox,
            variables,
        }
    }

    /// `kedge` with the arguments, not yet run.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(KEDGE);
        command
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::null());
        command
    }

    /// Runs `kedge` with the arguments, and checks that it gives no secret away.
    pub(crate) fn kedge(&self, arguments: &str) -> Answer {
        let answer = Answer::of(self.command(arguments).output().unwrap());
        for token in TOKENS {
            assert!(
                !answer.out.contains(token) && !answer.err.contains(token),
                "{arguments}"
            );
        }
        answer
    }

    /// Where the sandbox listens.
    pub(crate) fn address(&self) -> &str {
        &self.sandbox.address
    }

    /// A person does something in a console.
    pub(crate) fn person(&self, deed: &str) {
        let (status, body) = self.request("POST", "/_sandbox/person", deed);
        assert!(status.contains(" 200 "), "{status} {body}");
    }

    pub(crate) fn world(&self) -> String {
        self.request("GET", "/_sandbox/world", "").1
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.sandbox.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        fs::write(self.folder.path().join(path), text).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
