//! Roles and members, as Google's IAM writes them.

use super::context::ParseContext;
use super::naming::Name;
use super::redact::quoted;
use super::scalar::Fault;

/// Whether a role is one; reports one that is not.
pub(super) fn role(context: &mut ParseContext<'_>, role: &Name<'_>) -> bool {
    if is_role(&role.text) {
        return true;
    }
    let whole = match &*role.text {
        "publisher" | "subscriber" | "viewer" | "editor" | "admin" => {
            format!("roles/pubsub.{}", role.text)
        }
        text if text.starts_with("pubsub.") => format!("roles/{text}"),
        _ => String::new(),
    };
    let hint = match is_role(&whole) {
        true => format!("write `{whole}`"),
        false => "write it in full, such as `roles/pubsub.publisher`".to_owned(),
    };
    let message = format!("{} is not a role", quoted(&role.text));
    context.report.hinted(role.place, message, hint);
    false
}

fn is_role(text: &str) -> bool {
    let plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "./_-".contains(c));
    let parts = text
        .strip_prefix("projects/")
        .or_else(|| text.strip_prefix("organizations/"));
    let name = match parts {
        Some(rest) => rest.split_once("/roles/").map(|(_, name)| name),
        None => text.strip_prefix("roles/"),
    };
    plain && name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// An IAM member in the form Google answers: the type's case kept, the value in lower case.
pub(super) fn member(text: &str) -> Result<String, Fault> {
    const TYPES: [&str; 9] = [
        "user",
        "serviceAccount",
        "group",
        "domain",
        "principal",
        "principalSet",
        "projectOwner",
        "projectEditor",
        "projectViewer",
    ];
    let fail = |hint: String| {
        Err(Fault {
            message: format!("{} is not a member", quoted(text)),
            hint,
        })
    };
    if matches!(text, "allUsers" | "allAuthenticatedUsers") {
        return Ok(text.to_owned());
    }
    match text.split_once(':') {
        Some((sort, value)) if TYPES.contains(&sort) && !value.is_empty() => {
            if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return fail("a member has no spaces".to_owned());
            }
            Ok(match sort {
                "principal" | "principalSet" => text.to_owned(),
                _ => format!("{sort}:{}", value.to_lowercase()),
            })
        }
        None if text.contains(".gserviceaccount.com") => {
            fail(format!("write \"serviceAccount:{text}\""))
        }
        _ => fail(format!(
            "write `<type>:<value>`, the type one of {}",
            TYPES.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members() {
        assert_eq!(
            member("serviceAccount:A@B.example").unwrap(),
            "serviceAccount:a@b.example"
        );
        assert_eq!(member("principal://X/Y").unwrap(), "principal://X/Y");
        assert_eq!(member("allUsers").unwrap(), "allUsers");
        for bad in [
            "a@b.example",
            "user:",
            "serviceaccount:a@b.example",
            "user:a b",
            "",
        ] {
            assert!(member(bad).is_err(), "{bad}");
        }
        let hint = member("x@system.gserviceaccount.com").unwrap_err().hint;
        assert_eq!(
            hint,
            "write \"serviceAccount:x@system.gserviceaccount.com\""
        );
    }

    #[test]
    fn roles() {
        for good in ["roles/pubsub.publisher", "projects/p/roles/own"] {
            assert!(is_role(good), "{good}");
        }
        for bad in [
            "",
            "publisher",
            "roles/",
            "roles/a/b",
            "projects/p",
            "roles/a b",
        ] {
            assert!(!is_role(bad), "{bad}");
        }
    }
}
