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
        if !path.ends_with('/') {
            writer.write_all(content).unwrap();
        }
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
    entry_of(builder, kind, path.as_bytes(), content);
}

fn entry_of(
    builder: &mut tar::Builder<impl std::io::Write>,
    kind: tar::EntryType,
    path: &[u8],
    content: &[u8],
) {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path);
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
            (".DS_Store", b"\xff"),
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
        "../",
        "a/../b/",
    ] {
        for unpacked in both(&[("kedge.yaml", PROJECT.as_bytes()), (path, b"x")]) {
            let why = refused(unpacked);
            assert!(
                why.contains("names must be relative paths in UTF-8"),
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
    for (mode, what) in [
        (0o010_644, Some("no file")),
        (0o020_644, Some("no file")),
        (0o060_644, Some("no file")),
        (0o140_644, Some("no file")),
        (0o120_777, Some("a link")),
        (0o100_644, None),
        (0o000_644, None),
        (0, None),
    ] {
        let bytes = with_mode(&zipped(&[("kedge.yaml", PROJECT.as_bytes())]), mode);
        match (unpack(Form::Zip, &bytes), what) {
            (Ok(files), None) => assert_eq!(files["kedge.yaml"], PROJECT),
            (Err(ArchiveError::NotAFile { what, .. }), Some(expected)) => {
                assert_eq!(what, expected, "{mode:o}");
            }
            (found, _) => panic!("{mode:o}: {found:?}"),
        }
    }
}

/// The same archive with another mode at its first entry, as no writer makes it.
fn with_mode(zip: &[u8], mode: u32) -> Vec<u8> {
    let central = zip
        .windows(4)
        .position(|four| four == b"PK\x01\x02")
        .unwrap();
    let mut bytes = zip.to_vec();
    // Made on Unix; the mode is the upper half of the external attributes.
    bytes[central + 5] = 3;
    bytes[central + 38..central + 42].copy_from_slice(&(mode << 16).to_le_bytes());
    bytes
}

#[test]
fn what_is_no_text_is_named_with_its_place() {
    let cases: [(&[u8], (u32, u32)); 3] = [
        (b"project: \xff\xfe", (1, 10)),
        (b"\xff\xfep\0r\0", (1, 1)),
        (b"a: b\nc: \xfc\n", (2, 4)),
    ];
    for (bytes, place) in cases {
        for unpacked in both(&[("kedge.yaml", bytes)]) {
            let Err(ArchiveError::NotText { path, at }) = unpacked else {
                panic!("{unpacked:?}");
            };
            assert_eq!((path.as_str(), (at.line, at.column)), ("kedge.yaml", place));
        }
    }
    // What YAML makes of these is the parser's to say, as where a folder is pushed.
    for text in ["\u{feff}project: acme\n", "p\0r\0", ""] {
        for unpacked in both(&[("kedge.yaml", text.as_bytes())]) {
            assert_eq!(unpacked.unwrap()["kedge.yaml"], text);
        }
    }
}

#[test]
fn a_name_that_is_not_utf_8_is_refused() {
    let project = PROJECT.as_bytes();
    let files: [(&str, &[u8]); 2] = [("kedge.yaml", project), ("x\u{fc}.txt", b"")];
    // The same names in Latin-1, which need a byte less.
    let zip = replaced(&zipped(&files), "x\u{fc}.txt".as_bytes(), b"xy\xfc.txt");
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    entry_of(
        &mut builder,
        tar::EntryType::Regular,
        b"kedge.yaml",
        project,
    );
    entry_of(&mut builder, tar::EntryType::Regular, b"x\xfc.txt", b"");
    let tar = builder.into_inner().unwrap().finish().unwrap();
    for unpacked in [unpack(Form::Zip, &zip), unpack(Form::TarGz, &tar)] {
        assert!(
            matches!(unpacked, Err(ArchiveError::BadPath { .. })),
            "{unpacked:?}"
        );
    }
}

#[test]
fn paths_that_only_some_systems_tell_apart_or_that_lie_too_deep_are_refused() {
    let project = PROJECT.as_bytes();
    for unpacked in both(&[
        ("d/kedge.yaml", project),
        ("d/Ä.yaml", b""),
        ("d/ä.yaml", b""),
    ]) {
        let why = refused(unpacked);
        let said = "`ä.yaml` and `Ä.yaml` in the archive differ only in upper and lower case";
        assert_eq!(why, said);
    }
    // Of what is not kept, nobody cares.
    for unpacked in both(&[("kedge.yaml", project), ("a.txt", b""), ("A.txt", b"")]) {
        assert_eq!(unpacked.unwrap().len(), 1);
    }
    let (deep, deeper) = ("d/1/2/3/4/5/6/7/8/a.yaml", "d/1/2/3/4/5/6/7/8/9/a.yaml");
    for unpacked in both(&[("d/kedge.yaml", project), (deep, b"")]) {
        assert_eq!(unpacked.unwrap().len(), 2);
    }
    for unpacked in both(&[("d/kedge.yaml", project), (deeper, b"")]) {
        assert!(refused(unpacked).contains("lies in more than 8 folders"));
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
        assert!(refused(unpacked).contains("`kedge.yaml` in the archive is larger than 2 MiB"));
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
    assert!(refused(unpack(Form::Zip, &too_large)).contains("at most 4 MiB are allowed"));
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
