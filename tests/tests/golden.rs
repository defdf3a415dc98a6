//! What a stack's life writes and says, byte for byte. The Worker's runtime makes the same text
//! (`tests/clients/test_worker_planted.py`).

use kedge_tests::golden::golden;

const EXPECTED: &str = include_str!("../golden.txt");

/// `KEDGE_WRITE_GOLDEN=1` writes it anew, to be read before it is kept.
#[test]
fn a_stacks_life_is_the_same_text_as_ever() {
    let text = golden();
    if std::env::var_os("KEDGE_WRITE_GOLDEN").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/golden.txt"), &text).unwrap();
    }
    let differs = text
        .lines()
        .zip(EXPECTED.lines())
        .find(|(now, then)| now != then);
    assert_eq!(differs, None);
    assert!(
        text == EXPECTED,
        "one of them goes on: {} and {} bytes",
        text.len(),
        EXPECTED.len()
    );
}
