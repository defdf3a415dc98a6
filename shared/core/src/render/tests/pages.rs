use super::*;
use crate::render::{audit_text, check_text, preview_text};
#[test]
fn dump() {
    let r = eight_changes().report();
    println!("{}", check_text(&r, &AROUND));
    println!("{}", preview_text(&r, &AROUND));
    println!("{}", audit_text(&r, &AROUND));
    println!("{}", crate::render::preview_json(&r, None));
}
