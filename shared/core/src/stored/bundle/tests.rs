use super::*;

/// What version 1 wrote; never edited.
const SAMPLE: &str = include_str!("../samples/set.json");
/// The same content, as an upload of it is stored; never edited.
const UPLOADED: &str = include_str!("../samples/uploaded.json");

fn dev() -> StackName {
    StackName::new("dev").unwrap()
}

fn set(files: &[(&str, &str)]) -> Bundle {
    let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
    Bundle::new(files.iter().map(owned).collect()).unwrap()
}

fn sample() -> StoredBundle {
    let bundle = set(&[
        ("kedge.yaml", "project: acme\n"),
        ("stacks/dev.yaml", "config: {}\n"),
    ]);
    let revision = bundle.revision_after(Some("e3b0c44298fc"));
    StoredBundle {
        stack: dev(),
        bundle: bundle.stored_as(revision),
        follows: Some("e3b0c44298fc".to_owned()),
        pushed: Pushed {
            actor: "ana@laptop".to_owned(),
            at: Timestamp(1_795_348_800_000),
            commit: Some(Commit {
                id: "0123456789abcdef0123456789abcdef01234567".to_owned(),
                edited: true,
            }),
            branch: Some("main".to_owned()),
            upload: None,
        },
        rollback_of: Some("4d1a0b7c2e3f".to_owned()),
    }
}

#[test]
fn a_set_of_the_first_version_is_read_and_written_alike() {
    let decoded = StoredBundle::decode(SAMPLE.as_bytes(), &dev()).unwrap();
    assert_eq!(decoded, sample());
    let text = String::from_utf8(sample().encode().unwrap()).unwrap();
    assert_eq!(text, SAMPLE);
}

#[test]
fn an_upload_is_kept_with_its_object() {
    let uploaded = StoredBundle {
        pushed: Pushed {
            actor: "upload".to_owned(),
            upload: Some(Uploaded {
                key: "upload/dev/definitions.zip".to_owned(),
                etag: "\"9b2cf535f27731c974343645a3985328\"".to_owned(),
                newer_than: Timestamp(1_795_348_790_000),
            }),
            ..sample().pushed
        },
        ..sample()
    };
    let decoded = StoredBundle::decode(UPLOADED.as_bytes(), &dev()).unwrap();
    assert_eq!(decoded, uploaded);
    let text = String::from_utf8(uploaded.encode().unwrap()).unwrap();
    assert_eq!(text, UPLOADED);
}

#[test]
fn a_first_push_without_git_has_no_more_than_it_needs() {
    let bundle = set(&[("kedge.yaml", "project: acme\n")]);
    let first = StoredBundle {
        follows: None,
        rollback_of: None,
        pushed: Pushed {
            commit: None,
            branch: None,
            ..sample().pushed
        },
        bundle: bundle.clone().stored_as(bundle.revision()),
        ..sample()
    };
    let bytes = first.encode().unwrap();
    assert_eq!(StoredBundle::decode(&bytes, &dev()).unwrap(), first);
    let text = String::from_utf8(bytes).unwrap();
    for absent in [
        "follows",
        "rollback_of",
        "commit",
        "branch",
        "upload",
        "null",
    ] {
        assert!(!text.contains(absent), "{absent}: {text}");
    }
}

#[test]
fn what_can_not_be_used_is_said_for_what_it_is() {
    let revision = sample().revision();
    let cases = [
        ("", "is damaged"),
        (&SAMPLE[..SAMPLE.len() / 2], "is damaged"),
        ("{}", "is damaged"),
        (
            &SAMPLE.replace("\"format\": 1", "\"format\": 2"),
            "newer kedge",
        ),
        (
            &SAMPLE.replace("\"dev\"", "\"prod\""),
            "belong to stack `prod`",
        ),
        (&SAMPLE.replace("acme", "other"), "content has another"),
        (&SAMPLE.replace(&revision, "../../../abc"), "as a revision"),
        (
            &SAMPLE.replace("stacks/dev.yaml", "../dev.yaml"),
            "as definition files",
        ),
        (&SAMPLE.replace("\"follows\"", "\"next\""), "newer kedge"),
    ];
    for (text, expected) in cases {
        let error = StoredBundle::decode(text.as_bytes(), &dev()).unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
}

#[test]
fn the_largest_set_is_read_back() {
    let line = "\"\n".repeat(Bundle::FILE_BYTES_MAX / 2);
    let files: Vec<(String, &str)> = (0..4)
        .map(|n| (format!("{n}.yaml"), line.as_str()))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    let bundle = set(&files);
    let revision = bundle.revision();
    let full = StoredBundle {
        bundle: bundle.stored_as(revision),
        ..sample()
    };
    let bytes = full.encode().unwrap();
    assert!(bytes.len() <= BYTES_MAX);
    assert_eq!(StoredBundle::decode(&bytes, &dev()).unwrap(), full);
}
