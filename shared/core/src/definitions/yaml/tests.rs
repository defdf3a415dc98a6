//! Texts that are YAML, and texts that are not.

use super::*;

fn error(text: &str) -> (u32, u32, String) {
    let error = read(text).unwrap_err();
    (error.pos.line, error.pos.column, error.message)
}

fn scalar_of<'n>(node: &'n Node, key: &str) -> &'n str {
    let Content::Map(pairs) = &node.content else {
        panic!("a map");
    };
    let value = pairs
        .iter()
        .find(|(k, _)| matches!(&k.content, Content::Scalar(text) if text == key));
    match value.map(|(_, value)| &value.content) {
        Some(Content::Scalar(text)) => text,
        other => panic!("{key}: {other:?}"),
    }
}

#[test]
fn scalars_keep_their_text() {
    let text = "a: 010\nb: 1_0\nc: 0.50\nd: yes\ne: True\nf: \"10\"\ng: 99999999999999999999999\nh: 2026-01-01\ni: .nan\n";
    let node = read(text).unwrap();
    for (key, want) in [
        ("a", "010"),
        ("b", "1_0"),
        ("c", "0.50"),
        ("d", "yes"),
        ("e", "true"),
        ("f", "10"),
        ("g", "99999999999999999999999"),
        ("h", "2026-01-01"),
        ("i", ".nan"),
    ] {
        assert_eq!(scalar_of(&node, key), want, "{key}");
    }
}

#[test]
fn duplicates_are_kept_with_their_places() {
    let node = read("a: 1\nb:\n  - {c: d}\na: 2\n").unwrap();
    let Content::Map(pairs) = &node.content else {
        panic!("a map");
    };
    let lines: Vec<u32> = pairs.iter().map(|(key, _)| key.pos.line).collect();
    assert_eq!(lines, [1, 2, 4]);
}

#[test]
fn an_aliased_value_stands_where_it_is_used() {
    let node = read("a: &x [1, 2]\nb: *x\n").unwrap();
    let Content::Map(pairs) = &node.content else {
        panic!("a map");
    };
    assert_eq!(pairs[1].1.pos.line, 2);
}

#[test]
fn what_is_not_yaml_is_one_error_with_a_place() {
    let bomb = {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let list = vec![format!("*a{}", n - 1); 10].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{list}]\n"));
        }
        text
    };
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let too_deep = "more than 32 lists and maps inside each other";
    for (text, line, message) in [
        ("a:\n\tb: 1\n", 2, "a tab in the indentation"),
        ("a: 1\n---\nb: 2\n", 2, "several YAML documents in one file"),
        ("a: *x\n", 1, "an `*alias` without its `&anchor`"),
        (
            "a: 1\nb: \u{0}\n",
            2,
            "an invisible character (U+0000) in the file",
        ),
        ("a: \"x\n", 1, "a quote that is not closed"),
        ("a: b\u{FFFD}\n", 1, "a character that is not UTF-8"),
        (&bomb, 5, "too many `*aliases` in one file"),
        (&deep, 1, too_deep),
    ] {
        let (at, _, said) = error(text);
        assert_eq!(
            (at, said.as_str()),
            (line, message),
            "{}",
            &text[..text.len().min(40)]
        );
    }
}

#[test]
fn an_error_never_repeats_a_value() {
    for text in [
        "a: !!int hunter2\n",
        "a: !!bool hunter2\n",
        "a: *hunter2\n",
        "a: !!float hunter2\n",
    ] {
        let error = read(text).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{text}");
    }
}

#[test]
fn all_of_an_alias_stands_where_it_is_used() {
    let node = read("a: &x\n  - {k: v}\n\nb: *x\n").unwrap();
    let Content::Map(pairs) = &node.content else {
        panic!("a map");
    };
    let copy = &pairs[1].1;
    let mut places = Vec::new();
    fn gather(node: &Node<'_>, places: &mut Vec<Pos>) {
        places.push(node.pos);
        match &node.content {
            Content::Null | Content::Scalar(_) => {}
            Content::List(items) => items.iter().for_each(|item| gather(item, places)),
            Content::Map(pairs) => pairs.iter().for_each(|(key, value)| {
                gather(key, places);
                gather(value, places);
            }),
        }
    }
    gather(copy, &mut places);
    assert_eq!(places.len(), 4);
    let wanted = Pos {
        line: 4,
        column: 4,
        width: 2,
    };
    assert!(places.iter().all(|pos| *pos == wanted), "{places:?}");
}

#[test]
fn only_plain_scalars_are_null_or_truth_values() {
    let text =
        "- ~\n- null\n-\n- \"~\"\n- 'True'\n- !!str\n- !!str null\n- |\n  null\n- TRUE\n- no\n";
    let node = read(text).unwrap();
    let Content::List(items) = node.content else {
        panic!("a list");
    };
    let shown: Vec<Option<&str>> = items
        .iter()
        .map(|item| match &item.content {
            Content::Scalar(text) => Some(text.as_ref()),
            _ => None,
        })
        .collect();
    assert_eq!(
        shown,
        [
            None,
            None,
            None,
            Some("~"),
            Some("True"),
            Some(""),
            Some("null"),
            Some("null\n"),
            Some("true"),
            Some("no"),
        ]
    );
}

#[test]
fn tags_but_the_obvious_ones_are_refused() {
    assert!(read("a: !!map {b: !!seq [!!str c]}\n").is_ok());
    for text in [
        "a: !!int 5\n",
        "a: !x y\n",
        "a: !!seq {}\n",
        "!!binary YQ==\n",
    ] {
        assert_eq!(error(text).2, "tags (`!name`) are not supported", "{text}");
    }
}

#[test]
fn an_alias_of_itself_is_an_error() {
    let (line, column, message) = error("a: 1\nb: &b [1, *b]\n");
    assert_eq!((line, column), (2, 11));
    assert_eq!(message, "an `*alias` inside its own `&anchor`");
}

/// Each limit, at it and one beyond.
#[test]
fn limits() {
    const DEEP: &str = "more than 32 lists and maps inside each other";
    const ALIASES: &str = "too many `*aliases` in one file";
    const ANCHORS: &str = "too many `&anchors` in one file";
    const NODES: &str = "too many keys and values in one file";
    let list = |item: &str, times: usize| vec![item; times].join(", ");
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let aliased = |times: usize| format!("a: &a x\nb: [{}]\n", list("*a", times));
    // The anchored list and its items are 1,000 nodes.
    let copied = |times: usize| format!("a: &a [{}]\nb: [{}]\n", list("x", 999), list("*a", times));
    let long = |bytes: usize, times: usize| {
        format!("a: &a {}\nb: [{}]\n", "x".repeat(bytes), list("*a", times))
    };
    let deep = |levels: usize| format!("a: &a {}\nb: [[*a]]\n", nested(levels));
    let anchors = |times: usize| {
        let items: Vec<String> = (0..times).map(|n| format!("&a{n} x")).collect();
        format!("[{}]\n", items.join(", "))
    };
    let kept = |levels: usize, bytes: usize| {
        let open: String = (0..levels).map(|n| format!("&a{n} [")).collect();
        format!("{open}{}{}\n", "x".repeat(bytes), "]".repeat(levels))
    };
    // A list of so many nodes; each `x` and the list itself count.
    let nodes = |times: usize| format!("[{}]", "x,".repeat(times - 1));
    for (what, fits, is_too_much, said) in [
        ("depth", nested(DEPTH_MAX), nested(DEPTH_MAX + 1), DEEP),
        (
            "depth by alias",
            deep(DEPTH_MAX - 3),
            deep(DEPTH_MAX - 2),
            DEEP,
        ),
        (
            "aliases",
            aliased(ALIASES_MAX),
            aliased(ALIASES_MAX + 1),
            ALIASES,
        ),
        (
            "anchors",
            anchors(ALIASES_MAX),
            anchors(ALIASES_MAX + 1),
            ANCHORS,
        ),
        ("copied nodes", copied(50), copied(51), ALIASES),
        (
            "copied bytes",
            long(ALIAS_BYTES_MAX / 2, 2),
            long(ALIAS_BYTES_MAX / 2, 3),
            ALIASES,
        ),
        (
            "kept bytes",
            kept(2, ANCHOR_BYTES_MAX / 2),
            kept(3, ANCHOR_BYTES_MAX / 2),
            ANCHORS,
        ),
        ("nodes", nodes(NODES_MAX), nodes(NODES_MAX + 1), NODES),
    ] {
        assert!(read(&fits).is_ok(), "{what}: {:?}", read(&fits).err());
        assert_eq!(error(&is_too_much).2, said, "{what}");
    }
}
