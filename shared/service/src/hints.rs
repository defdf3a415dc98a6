//! What to do next, in the words of the HTTP API. What it can't do is a command of the command line.

use kedge_core::hint::Hint;
use kedge_core::model::StackName;

/// A hint for who asks over HTTP.
#[must_use]
pub(crate) fn describe(stack: &StackName, hint: &Hint) -> String {
    let post = |what: &str| format!("POST /v1/stacks/{stack}/{what}");
    let command = |verb: &str| format!("on a command line: kedge {verb} --stack {stack}");
    match hint {
        Hint::Check => post("check"),
        Hint::Preview => post("preview"),
        Hint::Up {
            plan,
            allow,
            overrides,
        } if overrides.is_empty() => up(&post("up"), plan.as_deref(), allow),
        // A guard gives way to a person at a terminal alone.
        Hint::Up { overrides, .. } => {
            let guards = overrides.iter().map(|guard| format!(" --override {guard}"));
            format!("{}{}", command("up"), guards.collect::<String>())
        }
        Hint::Unattended => command("up --unattended"),
        Hint::Adopt => command("adopt"),
        Hint::Retire => command("retire"),
        Hint::Accept { key } => command(&format!("accept '{key}'")),
        Hint::Push { after_rollback } => {
            let after = after_rollback.iter();
            let after = after.map(|revision| format!(" --after-rollback {revision}"));
            command(&format!("push{}", after.collect::<String>()))
        }
        Hint::Unlock => command("unlock"),
        Hint::ReplaceHolds => command("hold --replace --for 2h --reason WHY"),
        Hint::ConfirmAbsence { .. } => command("refresh --confirm-absence"),
        Hint::History => format!("GET /v1/stacks/{stack}/history"),
        Hint::Allow { keys } if keys.is_empty() => "name the key in `allow`".to_owned(),
        Hint::Allow { keys } => format!("name in `allow`: {}", keys.join(", ")),
        Hint::Force => command("push --force"),
        Hint::Withdraw => command("push --withdraw"),
        Hint::AfterRollback { revision } => command(&format!("push --after-rollback {revision}")),
        Hint::Full => "the JSON document has them all".to_owned(),
        Hint::RunAgain => "send the request again when the other run is done".to_owned(),
    }
}

fn up(post: &str, plan: Option<&str>, allow: &[String]) -> String {
    let Some(digest) = plan else {
        return format!("{post} with the digest of a preview");
    };
    let mut body = serde_json::Map::new();
    body.insert("digest".to_owned(), digest.into());
    if !allow.is_empty() {
        body.insert("allow".to_owned(), allow.into());
    }
    format!("{post} with {}", serde_json::Value::Object(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_http_can_do_is_a_request_and_the_rest_a_command() {
        let stack = StackName::new("dev").unwrap();
        let up = |overrides: Vec<&'static str>| Hint::Up {
            plan: Some("00c0ffee00c0ffee".to_owned()),
            allow: vec!["dev-a\"b".to_owned()],
            overrides,
        };
        for (hint, expected) in [
            (Hint::Preview, "POST /v1/stacks/dev/preview"),
            (
                up(vec![]),
                r#"POST /v1/stacks/dev/up with {"allow":["dev-a\"b"],"digest":"00c0ffee00c0ffee"}"#,
            ),
            (
                up(vec!["share"]),
                "on a command line: kedge up --stack dev --override share",
            ),
            (
                Hint::up(),
                "POST /v1/stacks/dev/up with the digest of a preview",
            ),
            (Hint::Adopt, "on a command line: kedge adopt --stack dev"),
        ] {
            assert_eq!(describe(&stack, &hint), expected);
        }
    }
}
