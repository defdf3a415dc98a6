//! Which definitions a page goes by, and where stored ones come from, in a few words.

use crate::model::{Timestamp, ago};
use crate::render::view::outside;
use crate::report::Report;
use crate::stored::bundle::{Pushed, StoredBundle};

/// The most characters of a branch or an actor: the line has to hold more.
const NAME_CHARS_MAX: usize = 40;

/// `revision 3f9a1c2b7d10 main, ana@laptop, 2 h ago`; of a rollback, what it brought back, and of an upload,
/// the object.
#[must_use]
pub fn stored_text(stored: &StoredBundle, now: Timestamp) -> String {
    let Pushed {
        actor,
        at,
        branch,
        upload,
        ..
    } = &stored.pushed;
    let from = match (&stored.rollback_of, upload, branch) {
        (Some(old), ..) => format!(" rollback to {old}"),
        (None, Some(upload), _) => format!(" {}", cut(&upload.key)),
        (None, None, Some(branch)) => format!(" {}", cut(branch)),
        (None, None, None) => String::new(),
    };
    let ago = ago(now.ms_since(*at));
    format!(
        "revision {}{from}, {}, {ago}",
        stored.revision(),
        cut(actor)
    )
}

/// The definitions that a report goes by, with their revision. `described` says where they are from.
#[must_use]
pub fn definitions_text(report: &Report, described: &str) -> String {
    let revision = &report.declared.revision;
    match &report.invalid {
        Some(invalid) if !invalid.beside => {
            format!("the last good definitions, revision {revision}")
        }
        _ if described.contains(revision) => outside(described),
        _ => format!("{}, revision {revision}", outside(described)),
    }
}

fn cut(text: &str) -> String {
    outside(text).chars().take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::Bundle;
    use crate::model::StackName;
    use crate::stored::bundle::Uploaded;

    #[test]
    fn where_a_set_comes_from() {
        let mut stored = StoredBundle {
            stack: StackName::new("dev").unwrap(),
            bundle: Bundle::default(),
            follows: None,
            pushed: Pushed {
                actor: "ana@laptop".to_owned(),
                at: Timestamp(0),
                commit: None,
                branch: None,
                upload: None,
            },
            rollback_of: None,
        };
        let text = |stored: &StoredBundle, ms| stored_text(stored, Timestamp(ms));
        assert_eq!(
            text(&stored, -5),
            "revision e3b0c44298fc, ana@laptop, 0 s ago"
        );
        stored.pushed.branch = Some("main\u{1b}[2J".to_owned());
        assert_eq!(
            text(&stored, 7_200_000),
            "revision e3b0c44298fc main\u{fffd}[2J, ana@laptop, 2 h ago"
        );
        stored.pushed.upload = Some(Uploaded {
            key: "upload/dev/stacks/dev.yaml".to_owned(),
            etag: "1".to_owned(),
            newer_than: Timestamp(0),
        });
        assert_eq!(
            text(&stored, 7_200_000),
            "revision e3b0c44298fc upload/dev/stacks/dev.yaml, ana@laptop, 2 h ago"
        );
        stored.rollback_of = Some("3f9a1c2b7d10".to_owned());
        assert_eq!(
            text(&stored, 3 * 86_400_000),
            "revision e3b0c44298fc rollback to 3f9a1c2b7d10, ana@laptop, 3 d ago"
        );
    }
}
