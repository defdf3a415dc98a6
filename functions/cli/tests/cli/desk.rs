//! What every test here works with: a sandbox process and a folder with Clustera's definitions.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Tokens that must appear in no output.
pub(crate) const TOKENS: [&str; 2] = ["aiven-s3cret-token", "cloudflare-s3cret-token"];

/// A sandbox process and a folder with Clustera's definitions.
pub(crate) struct Desk {
    pub(crate) folder: TempDir,
    sandbox: Child,
    address: String,
    pub(crate) variables: BTreeMap<String, String>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.sandbox.kill();
        let _ = self.sandbox.wait();
    }
}

pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../definitions");
        copy(&source, &folder.path().join("definitions"));
        let mut sandbox = Command::new(env!("CARGO_BIN_EXE_kedge"))
            .args(["sandbox", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = sandbox.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line
            .split("http://")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .to_owned();
        let variables = [
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
            address,
            variables,
        }
    }

    /// Runs `kedge` with the arguments, and checks that it gives no secret away.
    pub(crate) fn kedge(&self, arguments: &str) -> Answer {
        let output = Command::new(env!("CARGO_BIN_EXE_kedge"))
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        let answer = Answer {
            code,
            out: text(output.stdout),
            err: text(output.stderr),
        };
        for token in TOKENS {
            assert!(
                !answer.out.contains(token) && !answer.err.contains(token),
                "{arguments}"
            );
        }
        answer
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
        let mut stream = TcpStream::connect(&self.address).unwrap();
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

#[track_caller]
pub(crate) fn expect(answer: &Answer, code: i32, parts: &[&str]) {
    let text = format!("{}\n--- standard error\n{}", answer.out, answer.err);
    assert_eq!(answer.code, code, "{text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}
