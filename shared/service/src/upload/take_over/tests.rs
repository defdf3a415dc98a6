//! What an upload may be. What becomes of it is tested in virtual time, in `tests/`.

use kedge_core::documents::json_text;
use kedge_core::model::Timestamp;

use super::*;

fn object(bytes: &[u8]) -> StoredObject {
    StoredObject {
        bytes: Bytes::copy_from_slice(bytes),
        etag: ETag("1".to_owned()),
        written_at: Timestamp(0),
        read_at: None,
    }
}

/// Why it can't be used, with file and place.
fn problem(path: &str, bytes: &[u8]) -> String {
    let problem = match read(path, &object(bytes)) {
        Err(problem) => problem,
        Ok(_) => return String::new(),
    };
    let text = |text: &Option<documents::Text>| {
        text.as_ref()
            .map_or("-", documents::Text::as_str)
            .to_owned()
    };
    let number = |number: Option<u32>| number.unwrap_or_default();
    format!(
        "{}:{}:{} {}",
        text(&problem.file),
        number(problem.line),
        number(problem.column),
        problem.message.as_str()
    )
}

#[test]
fn what_can_not_be_used_is_said_with_its_place() {
    let full = vec![b' '; Bundle::FILE_BYTES_MAX];
    let larger = vec![b' '; Bundle::FILE_BYTES_MAX + 1];
    let archive = vec![0; super::super::archive::ARCHIVE_BYTES_MAX + 1];
    let cases: [(&str, &[u8], &str); 10] = [
        ("stacks/dev.yaml", b"config: {}\n", ""),
        ("stacks/dev.yaml", b"", ""),
        ("stacks/dev.yaml", &full, ""),
        (
            "stacks/dev.yaml",
            &larger,
            "stacks/dev.yaml:0:0 this is larger than 2 MiB, the most that is taken",
        ),
        (
            "stacks/dev.yaml",
            b"config:\n  a: \xe4\n",
            "stacks/dev.yaml:2:6 this is not text in UTF-8",
        ),
        (
            "README.md",
            b"",
            "-:0:0 this is neither an archive (.zip, .tar.gz, .tgz) nor a definition file (.yaml, .yml)",
        ),
        (
            "all.zip",
            &archive,
            "-:0:0 the archive is 4.1 MiB; at most 4 MiB are allowed",
        ),
        (
            "all.tgz",
            b"",
            "-:0:0 the archive can't be read: unexpected end of file",
        ),
        (
            "all.tgz",
            b"no archive",
            "-:0:0 the archive can't be read: invalid gzip header",
        ),
        (
            "all.zip",
            b"no archive",
            "-:0:0 the archive can't be read: invalid Zip archive: Could not find EOCD",
        ),
    ];
    for (path, bytes, expected) in cases {
        assert_eq!(problem(path, bytes), expected, "{path}");
    }
}

#[test]
fn the_command_that_mends_a_refusal_is_a_push() {
    let stack = StackName::new("dev").unwrap();
    let push = Hint::Push {
        after_rollback: None,
    };
    assert_eq!(command(&stack, &push), "kedge push --stack dev");
    assert_eq!(
        command(&stack, &Hint::Withdraw),
        "kedge push --stack dev --withdraw"
    );
}

#[test]
fn a_problem_of_the_whole_has_no_file() {
    let stack = StackName::new("dev").unwrap();
    let of = UploadOf {
        stack: &stack,
        path: "a.zip",
        etag: "1",
        at: Timestamp(0),
    };
    let problem = too_large("a.zip");
    let document = documents::upload(of, UploadAnswer::Unusable(&problem), &|_| String::new());
    let text = json_text(&document).unwrap();
    assert!(text.contains("\"file\": null"), "{text}");
    assert!(
        text.contains("this is larger than 4 MiB, the most that is taken"),
        "{text}"
    );
}
