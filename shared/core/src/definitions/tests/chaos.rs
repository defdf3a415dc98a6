//! Whatever the text, there is an answer, and every place it names is in the text.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::shipped::shipped;
use super::*;

static SHIPPED: LazyLock<Bundle> = LazyLock::new(shipped);

fn check(bundle: &Bundle, name: &str) -> Result<(), TestCaseError> {
    let Err(problems) = parse_with(bundle, name, &[]) else {
        return Ok(());
    };
    prop_assert!(!problems.list.is_empty());
    for problem in &problems.list {
        prop_assert!(problem.line >= 1 && problem.column >= 1 && problem.width >= 1);
        let Some(text) = bundle.text(&problem.file) else {
            prop_assert_eq!((problem.line, problem.column), (1, 1));
            continue;
        };
        let own = text
            .lines()
            .nth(problem.line as usize - 1)
            .unwrap_or_default();
        prop_assert!(problem.line as usize <= text.lines().count().max(1));
        prop_assert!(
            problem.column as usize <= own.chars().count() + 1,
            "{}",
            problem
        );
        prop_assert!(problem.source_line.is_some());
    }
    prop_assert!(!problems.to_string().is_empty());
    Ok(())
}

/// One real file, one cut or one pasted piece.
fn mutated() -> impl Strategy<Value = (usize, usize, usize, String)> {
    let pieces = prop_oneof![
        Just(String::new()),
        "[ \\t\\n:{}\\[\\]&*!|>'\"%@`#,?-]{1,6}",
        "\\PC{0,8}",
        Just("{nope}".to_owned()),
        Just("\u{0}".to_owned()),
        Just("---\n".to_owned()),
        Just("<<: *a".to_owned()),
        Just("{secure: x}".to_owned()),
    ];
    (any::<usize>(), any::<usize>(), 0..30_usize, pieces)
}

proptest! {
    // Slow cases, so five eighths of what is asked for (PROPTEST_CASES, or 256).
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 5 / 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}", yaml in "([a-z]{0,3}[:\\- {}\\[\\]\"'&*|>\\n\\t]{0,3}){0,40}") {
        for path in ["kedge.yaml", "stacks/dev.yaml", "a/kafka-topics.yaml", "a/pubsub.yaml"] {
            for text in [&text, &yaml] {
                let mut files = vec![("kedge.yaml", KEDGE), ("stacks/dev.yaml", STACK)];
                files.retain(|(own, _)| *own != path);
                files.push((path, text));
                check(&set(&files), "dev")?;
            }
        }
    }

    #[test]
    fn mutated_real_files_never_panic((file, at, cut, piece) in mutated()) {
        let mut files = SHIPPED.files().clone();
        let path = files.keys().nth(file % files.len()).cloned().unwrap_or_default();
        let chars: Vec<char> = files[&path].chars().collect();
        let at = at % (chars.len() + 1);
        let end = (at + cut).min(chars.len());
        let text: String = chars[..at].iter().chain(piece.chars().collect::<Vec<_>>().iter()).chain(&chars[end..]).collect();
        files.insert(path, text);
        let bundle = Bundle::new(files).unwrap();
        check(&bundle, "prod")?;
        check(&bundle, "steve1")?;
    }
}
