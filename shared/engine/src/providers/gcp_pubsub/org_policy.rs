//! A refusal by an organisation policy that forbids a member, and how to end it.

use super::wire::ApiError;

const LEGACY: &str = "iam.allowedPolicyMemberDomains";

/// The constraint that forbids a member, by the name `gcloud` takes.
///
/// Status, message and violation as in terraform-google-modules/terraform-example-foundation#1454;
/// seen on a Pub/Sub topic in googleapis/python-pubsub#528.
pub(super) fn refusing(status: u16, error: &ApiError) -> Option<String> {
    const MESSAGE: &str =
        "One or more users named in the policy do not belong to a permitted customer";
    if status != 400 || error.status != "FAILED_PRECONDITION" {
        return None;
    }
    let violation = error
        .violations
        .iter()
        .find(|violation| violation.contains("allowedPolicyMember"));
    let Some(violation) = violation else {
        return error
            .message
            .starts_with(MESSAGE)
            .then(|| LEGACY.to_owned());
    };
    // It ends in a command that people copy, so only a plain name is taken over.
    let name = violation.strip_prefix("constraints/").unwrap_or(violation);
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    Some(if plain { name } else { LEGACY }.to_owned())
}

/// What to do about it, the narrower first. A reset lifts the constraint from the whole project, so it
/// is never said without that (Google docs: restricting-domains).
pub(super) fn fix(constraint: &str, project: &str) -> String {
    let narrow = match constraint {
        LEGACY => "allow the member's customer id or principal set in this project's policy",
        _ => "allow this member in this project's policy",
    };
    format!(
        "{narrow} (gcloud org-policies describe {constraint} --effective --project={project} shows it), \
         which keeps the rest of the policy in force. If that is impossible, gcloud org-policies reset \
         {constraint} --project={project} removes the policy from the whole project, for every member; \
         set it again after kedge granted the role, since the grant stays. Both need \
         roles/orgpolicy.policyAdmin"
    )
}
