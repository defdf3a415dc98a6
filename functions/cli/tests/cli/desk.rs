//! What every test here works with: a sandbox process and a folder with Clustera's definitions.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::common::{Answer, KEDGE, Sandbox};

/// The tokens of a desk.
pub(crate) const TOKENS: [&str; 2] = ["aiven-s3cret-token", "cloudflare-s3cret-token"];

/// Variables whose values must appear in no output, whatever they hold.
const SECRETS: [&str; 7] = [
    "AIVEN_TOKEN",
    "CLOUDFLARE_API_TOKEN",
    "GOOGLE_CREDENTIALS",
    "R2_ACCESS_KEY_ID",
    "R2_SECRET_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
];

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
        self.assert_no_secret(arguments, &answer);
        answer
    }

    /// Runs `kedge` in a terminal in which somebody types these lines. The answer's `err` is what the
    /// terminal shows: questions, what was typed, and errors.
    #[cfg(unix)]
    #[expect(clippy::disallowed_methods, reason = "somebody types while kedge runs")]
    pub(crate) fn in_terminal(&self, arguments: &str, typed: &str) -> Answer {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let path = ptsname(&terminal, Vec::new()).unwrap();
        let mut options = fs::File::options();
        let inner = options.read(true).write(true);
        let inner = inner.open(path.to_str().unwrap()).unwrap();
        let mut terminal = fs::File::from(terminal);
        let mut command = self.command(arguments);
        command
            .env("TERM", "dumb")
            .stdin(inner.try_clone().unwrap())
            .stderr(inner)
            .stdout(Stdio::piped());
        let running = command.spawn().unwrap();
        // The command keeps its ends of the terminal open; once it has ended nobody does.
        drop(command);
        let typed = typed.to_owned();
        let shown = std::thread::spawn(move || {
            let (mut shown, mut piece) = (Vec::new(), [0; 4096]);
            let mut typed = Some(typed);
            // A terminal that nobody holds open any more ends with an error.
            while let Ok(read @ 1..) = terminal.read(&mut piece) {
                shown.extend_from_slice(&piece[..read]);
                if shown.ends_with(b": ")
                    && let Some(typed) = typed.take()
                {
                    terminal.write_all(typed.as_bytes()).unwrap();
                }
            }
            String::from_utf8(shown).unwrap().replace("\r\n", "\n")
        });
        let mut answer = Answer::of(running.wait_with_output().unwrap());
        answer.err = shown.join().unwrap();
        self.assert_no_secret(arguments, &answer);
        answer
    }

    /// Neither a credential nor a part of one that could be used is shown.
    #[track_caller]
    pub(crate) fn assert_no_secret(&self, arguments: &str, answer: &Answer) {
        const SHORTEST: usize = 8;
        for name in SECRETS {
            let value = self.variables.get(name).map_or("", String::as_str);
            let parts = value.split_whitespace().map(|part| part.trim_matches('\''));
            for part in parts.filter(|part| part.len() >= SHORTEST) {
                let shown = answer.out.contains(part) || answer.err.contains(part);
                assert!(!shown, "{arguments} shows {name}");
            }
        }
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
