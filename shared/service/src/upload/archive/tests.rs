//! Archives as tools make them, and as somebody hostile does.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;

use super::*;

const PROJECT: &str = "project: acme\n";

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        let options = SimpleFileOptions::default();
        match path.ends_with('/') {
            true => writer.add_directory(*path, options).unwrap(),
            false => writer.start_file(*path, options).unwrap(),
        }
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// One entry of a tar archive, by its type and with the name as it is.
fn entry(
    builder: &mut tar::Builder<impl std::io::Write>,
    kind: tar::EntryType,
    path: &str,
    content: &[u8],
) {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(u64::try_from(content.len()).unwrap());
    header.set_mode(0o644);
    header.set_cksum();
    builder.append(&header, content).unwrap();
}

fn tarred_as(kind: tar::EntryType, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, content) in files {
        let kind = match path.ends_with('/') {
            true => tar::EntryType::Directory,
            false => kind,
        };
        entry(&mut builder, kind, path, content);
    }
    builder.into_inner().unwrap().finish().unwrap()
}

/// The same files in each form.
fn both(files: &[(&str, &[u8])]) -> [Result<BTreeMap<String, String>, ArchiveError>; 2] {
    [
        unpack(Form::Zip, &zipped(files)),
        unpack(Form::TarGz, &tarred_as(tar::EntryType::Regular, files)),
    ]
}

fn refused(result: Result<BTreeMap<String, String>, ArchiveError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn the_folder_that_has_kedge_yaml_is_the_root() {
    let roots = ["", "./", "definitions/", "repo/definitions/"];
    for root in roots {
        let path = |rest: &str| format!("{root}{rest}");
        let (project, stack, topics) = (
            path("kedge.yaml"),
            path("stacks/dev.yaml"),
            path("data_plane/kafka-topics.yaml"),
        );
        let files: [(&str, &[u8]); 6] = [
            ("outside.txt", b"\xff\x00"),
            (&project, PROJECT.as_bytes()),
            (&stack, b"config: {}\n"),
            (&topics, b"topics: []\n"),
            ("__MACOSX/._kedge.yaml", b"\xff"),
            ("__MACOSX/kedge.yaml", b"\xff"),
        ];
        for unpacked in both(&files) {
            let unpacked = unpacked.unwrap();
            let paths: Vec<_> = unpacked.keys().map(String::as_str).collect();
            assert_eq!(
                paths,
                [
                    "data_plane/kafka-topics.yaml",
                    "kedge.yaml",
                    "stacks/dev.yaml"
                ],
                "{root}"
            );
            assert_eq!(unpacked["kedge.yaml"], PROJECT);
        }
    }
}

#[test]
fn a_project_below_another_is_a_file_of_it_and_two_beside_each_other_are_refused() {
    let project = PROJECT.as_bytes();
    for unpacked in both(&[("a/kedge.yaml", project), ("a/old/kedge.yaml", project)]) {
        assert_eq!(unpacked.unwrap().len(), 2);
    }
    for unpacked in both(&[("a/kedge.yaml", project), ("b/kedge.yaml", project)]) {
        let why = refused(unpacked);
        assert!(why.contains("`a/kedge.yaml` and `b/kedge.yaml`"), "{why}");
    }
    for unpacked in both(&[("a/other.yaml", project)]) {
        assert!(refused(unpacked).contains("no kedge.yaml"));
    }
}

#[test]
fn a_path_that_leads_out_is_refused_whatever_it_is() {
    for path in [
        "../kedge.yaml",
        "a/../../kedge.yaml",
        "/etc/kedge.yaml",
        "a//b.yaml",
        "a\\b.yaml",
        "../readme.txt",
        "a/\u{7}.txt",
    ] {
        for unpacked in both(&[("kedge.yaml", PROJECT.as_bytes()), (path, b"x")]) {
            let why = refused(unpacked);
            assert!(
                why.contains("names must be relative paths"),
                "{path}: {why}"
            );
            assert!(!why.contains('\u{7}'));
        }
    }
}

#[test]
fn only_files_and_folders_are_taken() {
    use tar::EntryType;
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Fifo,
        EntryType::Block,
    ] {
        let why = refused(unpack(
            Form::TarGz,
            &tarred_as(kind, &[("kedge.yaml", b"")]),
        ));
        assert!(why.contains("only files and folders"), "{kind:?}: {why}");
    }
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    writer
        .add_symlink("kedge.yaml", "/etc/passwd", options)
        .unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    assert!(refused(unpack(Form::Zip, &bytes)).contains("is a link"));
}

#[test]
fn what_is_no_text_is_named() {
    for unpacked in both(&[("kedge.yaml", b"project: \xff\xfe")]) {
        let why = refused(unpacked);
        assert_eq!(why, "`kedge.yaml` in the archive is not text in UTF-8");
    }
}

#[test]
fn the_same_path_twice_is_refused() {
    let project = PROJECT.as_bytes();
    for unpacked in both(&[
        ("kedge.yaml", project),
        ("./kedge.yaml", b"project: other\n"),
    ]) {
        assert!(refused(unpacked).contains("is in the archive twice"));
    }
    // A writer that keeps to the rules can't make this one: the first name is changed in place.
    let files: [(&str, &[u8]); 2] = [("kedge.yamm", b"a: b\n"), ("kedge.yaml", project)];
    let twice: Vec<u8> = zipped(&files).chunks(1).map(|byte| byte[0]).collect();
    let twice = replaced(&twice, b"kedge.yamm", b"kedge.yaml");
    assert!(refused(unpack(Form::Zip, &twice)).contains("several entries of the same name"));
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for at in 0..out.len() - from.len() {
        if &out[at..at + from.len()] == from {
            out[at..at + from.len()].copy_from_slice(to);
        }
    }
    out
}

#[test]
fn what_comes_out_is_bounded_by_what_comes_out() {
    let large = vec![b' '; Bundle::FILE_BYTES_MAX + 1];
    for unpacked in both(&[("kedge.yaml", &large)]) {
        assert!(refused(unpacked).contains("`kedge.yaml` in the archive has more than"));
    }
    for unpacked in both(&[("kedge.yaml", &large[1..])]) {
        assert_eq!(
            unpacked.unwrap()["kedge.yaml"].len(),
            Bundle::FILE_BYTES_MAX
        );
    }
    // Files that are none of ours count too, where they must be unpacked.
    let part = vec![0_u8; 1024 * 1024];
    let names: Vec<_> = (0..33).map(|number| format!("{number}.bin")).collect();
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), part.as_slice()))
        .collect();
    let bomb = tarred_as(tar::EntryType::Regular, &files);
    assert!(bomb.len() < 100_000, "it is small: {}", bomb.len());
    assert!(refused(unpack(Form::TarGz, &bomb)).contains("unpacks to more"));
    // And many small files of ours in a `.zip`.
    let names: Vec<_> = (0..33).map(|number| format!("{number}.yaml")).collect();
    let part = vec![b' '; 1024 * 1024];
    let files: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), part.as_slice()))
        .collect();
    assert!(refused(unpack(Form::Zip, &zipped(&files))).contains("unpacks to more"));
}

#[test]
fn entries_are_bounded() {
    let names: Vec<_> = (0..=ENTRIES_MAX)
        .map(|number| format!("{number}"))
        .collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    for unpacked in both(&files) {
        assert!(refused(unpacked).contains("entries"));
    }
    let too_large = vec![0; ARCHIVE_BYTES_MAX + 1];
    assert!(refused(unpack(Form::Zip, &too_large)).contains("is the most"));
}

#[test]
fn what_is_no_archive_or_a_part_of_one_is_refused() {
    let files: [(&str, &[u8]); 1] = [("kedge.yaml", PROJECT.as_bytes())];
    let whole = [
        (Form::Zip, zipped(&files)),
        (Form::TarGz, tarred_as(tar::EntryType::Regular, &files)),
    ];
    for (form, bytes) in whole {
        for cut in 0..bytes.len() {
            assert!(
                unpack(form, &bytes[..cut]).is_err(),
                "{form:?} cut at {cut}"
            );
        }
        assert!(unpack(form, b"project: acme\n").is_err());
    }
}

#[test]
fn the_form_is_told_by_the_name() {
    assert_eq!(Form::of("definitions.zip"), Some(Form::Zip));
    assert_eq!(Form::of("a/Definitions.ZIP"), Some(Form::Zip));
    assert_eq!(Form::of("d.tar.gz"), Some(Form::TarGz));
    assert_eq!(Form::of("d.tgz"), Some(Form::TarGz));
    assert_eq!(Form::of("kedge.yaml"), None);
}
