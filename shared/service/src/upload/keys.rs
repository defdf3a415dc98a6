//! The keys of uploads and of their results.

use std::collections::BTreeMap;

use kedge_core::definitions::Bundle;
use kedge_core::model::{StackName, Timestamp};
use kedge_engine::ports::{ETag, Listed};

use super::archive::Form;
use crate::work::Work;

/// What the keys of uploads begin with.
pub(crate) const PREFIX: &str = "upload/";
/// What the keys of results end with.
const RESULT: &str = ".result.json";
/// How many characters of a version are in the key of its result.
const ETAG_CHARS: usize = 8;
/// How old an object is at least when it is taken over, in milliseconds: who copies into a folder may not have
/// written all of it yet.
const AGE_MIN_MS: i64 = 2_000;
/// The most bytes of a PATH: the key of its result is longer, and a store takes 1,024 with its prefix.
const PATH_BYTES_MAX: usize = 512;

/// The most bytes of one name in a PATH: a folder takes 255, and the name of a result is 21 longer.
const NAME_BYTES_MAX: usize = 200;
/// How long it is said of a key that it is no upload, in milliseconds: often enough to be seen, and not for ever.
const STRAY_FOR_MS: i64 = 5 * 60 * 1000;
/// What the key of an upload has to be.
pub(crate) const STRAY: &str =
    "its key has to be upload/STACK/PATH, with a stack's name and a plain path of short names";

/// Where the engine keeps a revision of a stack's definitions.
pub(super) fn revision_key(stack: &StackName, revision: &str) -> String {
    format!("stacks/{stack}/revisions/{revision}.json")
}

/// An object that somebody put at `upload/`, in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Whose definitions it is about.
    pub stack: StackName,
    /// What it is, below `upload/<stack>/`: an archive, or a file of the definitions by its path in them.
    pub path: String,
    /// Its key.
    pub key: String,
    /// Its version.
    pub etag: ETag,
}

impl Upload {
    /// An object by its key and version. None if that is no upload: a result, a folder, a hidden file, no
    /// stack's name, a path that is not a plain one.
    #[must_use]
    pub fn of(key: &str, etag: ETag) -> Option<Self> {
        let (stack, path) = key.strip_prefix(PREFIX)?.split_once('/')?;
        let is_plain =
            |part: &str| !part.is_empty() && !part.starts_with('.') && part.len() <= NAME_BYTES_MAX;
        let is_upload = path.split('/').all(is_plain)
            && !path.contains('\\')
            && !path.chars().any(char::is_control)
            && path.len() <= PATH_BYTES_MAX
            && !path.ends_with(RESULT);
        is_upload.then_some(Self {
            stack: StackName::new(stack).ok()?,
            path: path.to_owned(),
            key: key.to_owned(),
            etag,
        })
    }

    /// The key of its result: `upload/<stack>/PATH.<etag8>.result.json`. Another version has another one.
    #[must_use]
    pub fn result_key(&self) -> String {
        let etag = self.etag.0.strip_prefix("W/").unwrap_or(&self.etag.0);
        let etag = etag.chars().filter(char::is_ascii_alphanumeric);
        let etag: String = etag.take(ETAG_CHARS).collect();
        format!("{}.{}{RESULT}", self.key, etag.to_ascii_lowercase())
    }

    /// What the keys of all uploads of its stack begin with.
    pub(super) fn folder(&self) -> String {
        format!("{PREFIX}{}/", self.stack)
    }

    /// The message that asks for it to be taken over.
    #[must_use]
    pub fn work(&self) -> Work {
        Work::Upload {
            stack: self.stack.clone(),
            key: self.key.clone(),
            etag: self.etag.0.clone(),
        }
    }

    /// Where it comes among those of one listing: archives first, since each replaces the whole, then the
    /// files that are put into it. A listing has no order in time that could be relied on; what is older
    /// than what is stored is refused (semantics 7.6).
    fn place(&self) -> (&StackName, bool, &str) {
        (&self.stack, Form::of(&self.path).is_none(), &self.key)
    }
}

/// The uploads in a listing of `upload/` that have no result yet, in the order in which they are to be taken
/// over. A result that is older than its object is of an earlier one with the same bytes, as where an edit is
/// taken back. What was put there a moment ago waits for the next look.
#[must_use]
pub fn open(listed: &[Listed], now: Timestamp) -> Vec<Upload> {
    let results = listed.iter().filter(|object| object.key.ends_with(RESULT));
    let results: BTreeMap<&str, Timestamp> = results
        .map(|object| (object.key.as_str(), object.written_at))
        .collect();
    let open = |object: &Listed| {
        let upload = Upload::of(&object.key, object.etag.clone())?;
        let result_at = results.get(upload.result_key().as_str());
        let is_open = result_at.is_none_or(|at| *at < object.written_at);
        // A clock that is behind the store's keeps nothing away.
        let is_old_enough = !(0..AGE_MIN_MS).contains(&now.ms_since(object.written_at));
        (is_open && is_old_enough).then_some(upload)
    };
    let mut open: Vec<Upload> = listed.iter().filter_map(open).collect();
    open.sort_by(|one, other| one.place().cmp(&other.place()));
    open
}

/// The keys in a listing of `upload/` that somebody put there lately and that are no uploads: a mistake, as
/// where the stack was forgotten. What is hidden, a folder or a result is none.
pub(crate) fn strays(listed: &[Listed], now: Timestamp) -> impl Iterator<Item = &str> {
    listed.iter().filter_map(move |object| {
        let path = object.key.strip_prefix(PREFIX)?;
        let is_meant = !path.is_empty()
            && !path.ends_with('/')
            && !path.ends_with(RESULT)
            && !path.split('/').any(|part| part.starts_with('.'));
        let is_new = now.ms_since(object.written_at) < STRAY_FOR_MS;
        let is_stray = is_meant && is_new && Upload::of(&object.key, object.etag.clone()).is_none();
        is_stray.then_some(object.key.as_str())
    })
}

/// What an upload is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// All definitions, packed.
    Archive(Form),
    /// One file of them.
    File,
    /// Neither.
    Nothing,
}

impl What {
    pub(super) fn of(path: &str) -> Self {
        match Form::of(path) {
            Some(form) => Self::Archive(form),
            None if Bundle::wants(path) => Self::File,
            None => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(key: &str) -> Option<Upload> {
        Upload::of(key, ETag("\"9B2CF535f27731c9\"".to_owned()))
    }

    fn listed(key: &str, etag: &str, at_ms: i64) -> Listed {
        Listed {
            key: key.to_owned(),
            etag: ETag(etag.to_owned()),
            written_at: Timestamp(at_ms),
        }
    }

    #[test]
    fn keys_of_uploads_and_others() {
        for (key, stack, path) in [
            ("upload/dev/definitions.zip", "dev", "definitions.zip"),
            ("upload/dev/stacks/dev.yaml", "dev", "stacks/dev.yaml"),
            ("upload/prod-eu/a b/ü.tgz", "prod-eu", "a b/ü.tgz"),
            // It is said that this is nothing, so it is one.
            ("upload/dev/README.md", "dev", "README.md"),
            ("upload/dev/result.json", "dev", "result.json"),
        ] {
            let found = upload(key).unwrap();
            assert_eq!((found.stack.as_str(), found.path.as_str()), (stack, path));
            assert_eq!(found.key, key);
        }
        let long = format!("upload/dev/{}a.zip", "x/".repeat(PATH_BYTES_MAX / 2));
        let long_name = format!("upload/dev/{}.zip", "x".repeat(NAME_BYTES_MAX - 3));
        for key in [
            "upload/dev/definitions.zip.9b2cf535.result.json",
            "upload/dev/a.result.json",
            "upload/dev/",
            "upload/dev",
            "upload/dev.zip",
            "upload/dev/stacks/",
            "upload//a.zip",
            "upload/De v/a.zip",
            "upload/../a.zip",
            "upload/dev/../a.yaml",
            "upload/dev/./a.yaml",
            "upload/dev//a.yaml",
            "upload/dev/a\\b.yaml",
            "upload/dev/a\n.yaml",
            "upload/dev/a\0.yaml",
            "upload/dev/.DS_Store",
            "upload/dev/.git/a.yaml",
            "stacks/dev/a.zip",
            "xupload/dev/a.zip",
            &long,
            &long_name,
        ] {
            assert_eq!(upload(key), None, "{key}");
        }
    }

    #[test]
    fn what_was_put_at_a_wrong_place_is_said_for_five_minutes() {
        let all = [
            "upload/loose.zip",
            "upload/Nope/x.zip",
            "upload/dev/a\\b.yaml",
            "upload/dev/",
            "upload/",
            "upload/.keep",
            "upload/dev/.DS_Store",
            "upload/dev/a.zip",
            "upload/dev/a.zip.9b2cf535.result.json",
        ];
        let listed: Vec<_> = all.iter().map(|key| listed(key, "e", 1_000)).collect();
        let after = |ms| strays(&listed, Timestamp(1_000 + ms)).collect::<Vec<_>>();
        assert_eq!(after(STRAY_FOR_MS - 1), all[..3]);
        assert_eq!(after(STRAY_FOR_MS), [""; 0]);
    }

    #[test]
    fn a_result_has_the_version_in_its_key() {
        for (etag, part) in [
            ("\"9b2cf535f27731c974343645a3985328\"", "9b2cf535"),
            ("9B2CF535f27731c974343645a3985328", "9b2cf535"),
            // As a tool makes it that uploads in parts.
            ("\"d41d8cd98f00b204e9800998ecf8427e-12\"", "d41d8cd9"),
            ("W/\"0123456789\"", "01234567"),
            ("\"ab-c\"", "abc"),
        ] {
            let upload = Upload::of("upload/dev/a.zip", ETag(etag.to_owned())).unwrap();
            let expected = format!("upload/dev/a.zip.{part}.result.json");
            assert_eq!(upload.result_key(), expected);
            assert_eq!(Upload::of(&expected, upload.etag), None);
        }
    }

    #[test]
    fn what_has_a_result_is_done_until_it_is_put_there_again() {
        let result = "upload/dev/a.zip.11111111.result.json";
        let old = "upload/dev/a.zip.00000000.result.json";
        let keys = |listed: &[Listed]| -> Vec<String> {
            open(listed, Timestamp(i64::MAX))
                .into_iter()
                .map(|upload| upload.key)
                .collect()
        };
        let a = |at_ms| listed("upload/dev/a.zip", "\"1111111122\"", at_ms);
        assert_eq!(keys(&[a(5)]), ["upload/dev/a.zip"]);
        // The result of an earlier version is none of this one.
        assert_eq!(keys(&[a(5), listed(old, "x", 9)]), ["upload/dev/a.zip"]);
        // Times of a store may be whole seconds.
        assert_eq!(keys(&[a(5), listed(result, "x", 5)]), [""; 0]);
        assert_eq!(keys(&[a(6), listed(result, "x", 5)]), ["upload/dev/a.zip"]);
    }

    #[test]
    fn what_was_put_there_a_moment_ago_waits() {
        let of = |at_ms, now| {
            let listed = [listed("upload/dev/a.zip", "\"x\"", at_ms)];
            open(&listed, Timestamp(now)).len()
        };
        assert_eq!((of(5_000, 5_000), of(5_000, 6_999)), (0, 0));
        assert_eq!(of(5_000, 7_000), 1);
        // Our clock is behind the store's.
        assert_eq!(of(5_000, 4_999), 1);
    }

    #[test]
    fn archives_come_before_the_files_that_are_put_into_them() {
        let keys = [
            "upload/b/z.zip",
            "upload/b/a.yaml",
            "upload/a/stacks/a.yaml",
            "upload/a/y.tar.gz",
            "upload/a/x.zip",
            "upload/a/.hidden.zip",
        ];
        let listed: Vec<Listed> = keys.iter().map(|key| listed(key, "1", 1)).collect();
        let found: Vec<String> = open(&listed, Timestamp(i64::MAX))
            .into_iter()
            .map(|one| one.key)
            .collect();
        assert_eq!(
            found,
            [
                "upload/a/x.zip",
                "upload/a/y.tar.gz",
                "upload/a/stacks/a.yaml",
                "upload/b/z.zip",
                "upload/b/a.yaml",
            ]
        );
    }

    #[test]
    fn its_name_says_what_it_is() {
        for (path, what) in [
            ("a.zip", What::Archive(Form::Zip)),
            ("x/A.TGZ", What::Archive(Form::TarGz)),
            ("kedge.yaml", What::File),
            ("x/kafka-topics.yml", What::File),
            ("kedge.YAML", What::Nothing),
            ("schema/stack.schema.json", What::Nothing),
            ("a.tar", What::Nothing),
            ("a.rar", What::Nothing),
        ] {
            assert_eq!(What::of(path), what, "{path}");
        }
    }

    #[test]
    fn its_message_is_read_back() {
        let upload = upload("upload/dev/a.zip").unwrap();
        let work = Work::decode(&upload.work().encode()).unwrap();
        let Work::Upload { stack, key, etag } = work else {
            panic!("{work:?}");
        };
        assert_eq!(Upload::of(&key, ETag(etag)), Some(upload.clone()));
        assert_eq!(stack, upload.stack);
    }
}
