//! "Did you mean": the nearest of some known words.

/// The word nearest to `text`, if one is near enough to be what was meant; else the one word that
/// begins as it does, or that it begins with (`replication_factor`).
#[must_use]
pub fn nearest<'w>(text: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let text = text.to_lowercase();
    let far = (text.chars().count() / 3).max(1);
    let words: Vec<(String, &str)> = words.into_iter().map(|w| (w.to_lowercase(), w)).collect();
    let near = words
        .iter()
        .map(|(lower, word)| (distance(&text, lower), *word))
        .filter(|(distance, _)| *distance <= far)
        .min();
    near.map(|(_, word)| word).or_else(|| {
        let mut alike = words.iter().filter(|(word, _)| begins_alike(&text, word));
        let (_, first) = alike.next()?;
        alike.next().is_none().then_some(*first)
    })
}

/// Whether one text begins with the other, which is a whole word and no mere letter or two.
fn begins_alike(a: &str, b: &str) -> bool {
    const CHARS_MIN: usize = 5;
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    short.len() >= CHARS_MIN && long.starts_with(short)
}

/// A sentence with its suggestion, if there is one: `unknown key `a`, did you mean `b`?`.
pub(super) fn with_suggestion<'w>(
    sentence: String,
    text: &str,
    words: impl IntoIterator<Item = &'w str>,
) -> String {
    match nearest(text, words) {
        Some(word) => format!("{sentence}, did you mean `{word}`?"),
        None => sentence,
    }
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other. Only
/// the beginning of a long text counts: the work grows with the product of the lengths.
fn distance(a: &str, b: &str) -> usize {
    const CHARS_MAX: usize = 80;
    let beginning = |text: &str| text.chars().take(CHARS_MAX).collect::<String>();
    strsim::osa_distance(&beginning(a), &beginning(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, want) in [
            ("", "", 0),
            ("abc", "", 3),
            ("retention_msec", "retention_ms", 2),
            ("ab", "ba", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), want, "{a} {b}");
        }
    }

    #[test]
    fn only_near_words_are_suggested() {
        let words = ["partitions", "replication", "retention_ms"];
        assert_eq!(nearest("partition", words), Some("partitions"));
        assert_eq!(nearest("Retention_Ms", words), Some("retention_ms"));
        assert_eq!(nearest("colour", words), None);
        assert_eq!(nearest("", words), None);
        assert_eq!(nearest("replication_factor", words), Some("replication"));
        assert_eq!(nearest("replica", words), Some("replication"));
        let two = ["retention_bytes", "retention_limit"];
        assert_eq!(nearest("retention", two), None);
    }
}
