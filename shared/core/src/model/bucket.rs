//! `s3://bucket/prefix`: a bucket, and where in it Kedge's objects begin.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use thiserror::Error;

/// How the address of a bucket begins where it could be another store's.
pub const BUCKET_SCHEME: &str = "s3://";
/// R2's and S3's alike: developers.cloudflare.com/r2/buckets/create-buckets.
const NAME_LENGTHS: RangeInclusive<usize> = 3..=63;
/// Keys may have 1,024 bytes (developers.cloudflare.com/r2/platform/limits); ours need some.
const PREFIX_LENGTH_MAX: usize = 512;

/// A bucket's name and a prefix of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketAddress {
    name: String,
    /// Empty, or ends with a slash, so that `a` does not hold what is under `ab`.
    prefix: String,
}

/// A text is not the address of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a bucket's address: {problem}")]
pub struct BucketAddressError {
    /// What was given, without control characters.
    pub text: String,
    /// Why it is none.
    pub problem: &'static str,
}

impl FromStr for BucketAddress {
    type Err = BucketAddressError;

    /// Reads `s3://bucket/prefix`. The scheme may be left out; a slash at the end means nothing.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |problem| BucketAddressError {
            text: text.replace(char::is_control, "\u{fffd}"),
            problem,
        };
        let rest = text.strip_prefix(BUCKET_SCHEME).unwrap_or(text);
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket(name) {
            return Err(wrong(
                "the name has 3 to 63 lower-case letters, digits, `-` and `.`",
            ));
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let is_fine = prefix.is_empty() || prefix.split('/').all(is_prefix_part);
        if !is_fine || prefix.len() > PREFIX_LENGTH_MAX {
            return Err(wrong(
                "the prefix has letters, digits, `-`, `_`, `.` and single slashes",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            prefix: match prefix {
                "" => String::new(),
                some => format!("{some}/"),
            },
        })
    }
}

fn is_bucket(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    NAME_LENGTHS.contains(&name.len())
        && name.chars().all(|c| is_plain(c) || "-.".contains(c))
        && name.starts_with(is_plain)
        && name.ends_with(is_plain)
}

fn is_prefix_part(part: &str) -> bool {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !matches!(part, "" | "." | "..") && part.chars().all(is_known)
}

impl BucketAddress {
    /// The bucket's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key in the bucket of a key of ours.
    #[must_use]
    pub fn full_key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Our key of a key in the bucket; none if it is not under the prefix.
    #[must_use]
    pub fn own_key<'k>(&self, full: &'k str) -> Option<&'k str> {
        full.strip_prefix(&self.prefix)
    }
}

impl fmt::Display for BucketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = format!("{BUCKET_SCHEME}{}/{}", self.name, self.prefix);
        f.write_str(whole.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_address() {
        for (text, name, shown, full) in [
            ("s3://kedge", "kedge", "s3://kedge", "a/b"),
            ("s3://kedge/", "kedge", "s3://kedge", "a/b"),
            ("kedge-1.x", "kedge-1.x", "s3://kedge-1.x", "a/b"),
            ("s3://kedge/p", "kedge", "s3://kedge/p", "p/a/b"),
            ("kedge/p/q_Q/", "kedge", "s3://kedge/p/q_Q", "p/q_Q/a/b"),
        ] {
            let address: BucketAddress = text.parse().unwrap();
            assert_eq!(address.name(), name, "{text}");
            assert_eq!(address.to_string(), shown, "{text}");
            assert_eq!(address.full_key("a/b"), full, "{text}");
            assert_eq!(address.own_key(full), Some("a/b"), "{text}");
        }
        let prefixed: BucketAddress = "kedge/p".parse().unwrap();
        assert_eq!(prefixed.own_key("p2/a"), None);
    }

    #[test]
    fn what_is_none() {
        let long = "x".repeat(64);
        let deep = format!("kedge/{}", "x".repeat(600));
        for text in [
            "",
            "s3://",
            "ab",
            "Kedge",
            "ke dge",
            "s3:///p",
            "-kedge",
            "kedge.",
            "file://x/y",
            "https://kedge",
            "kedge/../x",
            "kedge/a//b",
            "kedge/a b",
            "kedge/a\\b",
            "kedge/\u{1b}",
            &long,
            &deep,
        ] {
            let error = text.parse::<BucketAddress>().unwrap_err();
            assert!(!error.to_string().contains(char::is_control), "{error}");
        }
    }
}
