//! The mark `kedge:<stack>`: how a DNS record says whose it is (semantics 2.3).
//!
//! One writer and one parser. What is not exactly a mark is a person's comment, which says nothing.

use super::names::StackName;

const PREFIX: &str = "kedge:";

/// The comment of a record that this stack writes.
#[must_use]
pub fn mark_of(stack: &StackName) -> String {
    format!("{PREFIX}{stack}")
}

/// The stack whose mark a comment is; none if it is a person's text.
#[must_use]
pub fn marked_stack(comment: &str) -> Option<StackName> {
    StackName::new(comment.strip_prefix(PREFIX)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_prefix_and_a_stack_name_and_nothing_else() {
        for stack in ["prod", "steve-1", "a", &"a".repeat(StackName::LENGTH_MAX)] {
            let mark = mark_of(&StackName::new(stack).unwrap());
            assert_eq!(mark, format!("kedge:{stack}"));
            assert_eq!(marked_stack(&mark).unwrap().as_str(), stack);
        }
        for comment in [
            "",
            "prod",
            "kedge",
            "kedge:",
            "kedge: ",
            "kedge: see wiki",
            "kedge: prod",
            "kedge:prod please keep",
            "kedge:prod ",
            " kedge:prod",
            "kedge:prod\n",
            "kedge:prod,dev",
            "kedge:prod.",
            "kedge:Prod",
            "KEDGE:prod",
            "kedge:kedge:prod",
            "kedge:prod-",
            "kedge:1",
            "kedge:yes",
            "kedge:google",
            "kedge:<stack>",
            "kedge:prod\u{fe0f}",
            "uses kedge:prod",
            &format!("kedge:{}", "a".repeat(StackName::LENGTH_MAX + 1)),
        ] {
            assert_eq!(marked_stack(comment), None, "{comment:?}");
        }
    }
}
