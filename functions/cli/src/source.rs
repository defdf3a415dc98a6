//! Whose word counts as declared: the local files', or what was pushed (design 3).

/// Where the definitions of a command come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The local files. A folder store is for trying things out, and has no other writer.
    Local,
    /// The stored set, which everybody shares.
    Stored,
    /// The local files, named beside the stored set: what a push would make of it.
    LocalBesideStored,
}

/// Chooses. With a store that others use, too, only what was pushed counts; a preview shows what the
/// local files would do, if there are any. `stored` is `--stored`.
pub(crate) fn source(is_remote: bool, stored: bool, is_preview: bool) -> Source {
    match (is_remote, stored, is_preview) {
        (_, true, _) | (true, false, false) => Source::Stored,
        (true, false, true) => Source::LocalBesideStored,
        (false, false, _) => Source::Local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_declared() {
        for (is_remote, stored, is_preview, expected) in [
            (false, false, false, Source::Local),
            (false, false, true, Source::Local),
            (false, true, false, Source::Stored),
            (false, true, true, Source::Stored),
            (true, false, false, Source::Stored),
            (true, false, true, Source::LocalBesideStored),
            (true, true, false, Source::Stored),
            (true, true, true, Source::Stored),
        ] {
            assert_eq!(
                source(is_remote, stored, is_preview),
                expected,
                "{is_remote} {stored} {is_preview}"
            );
        }
    }
}
