//! IAM policies on topics and subscriptions: read, replace under an etag, test.

use super::{Answer, Call, Collection, Pubsub, Refused, body, invalid, not_found, refuse};
use crate::call::Object;
use crate::faults::Quirks;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The etag of a policy that nobody ever set (googleapis/google-cloud-python#1654).
const UNSET: &str = "ACAB";
/// The text every client looks for (pulumi/pulumi-gcp#1028).
pub(super) const CONCURRENT: &str = "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff.";

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct IamPolicy {
    etag: String,
    version: u8,
    bindings: Vec<Binding>,
}

/// Who has a role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Binding {
    pub(crate) role: String,
    #[serde(default)]
    pub(crate) members: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) condition: Option<Value>,
}

fn show(policy: Option<&IamPolicy>) -> Answer {
    let body = match policy {
        None => json!({"etag": UNSET}),
        Some(policy) if policy.bindings.is_empty() => {
            json!({"etag": policy.etag, "version": policy.version})
        }
        Some(policy) => json!(policy),
    };
    Answer::json(200, body)
}

pub(super) fn get(pubsub: &mut Pubsub, of: Collection, name: &str) -> Result<Answer, Refused> {
    let resource = pubsub
        .of_kind(of)
        .get(name)
        .ok_or_else(|| not_found(name))?;
    Ok(show(resource.policy.as_ref()))
}

/// The bindings as they are, for a person who edits them.
pub(crate) fn bindings(pubsub: &Pubsub, topic: &str) -> Option<Vec<Binding>> {
    let resource = pubsub.topics.get(topic)?;
    Some(
        resource
            .policy
            .as_ref()
            .map(|policy| policy.bindings.clone())
            .unwrap_or_default(),
    )
}

fn only_fields(object: &Object, known: &[&str], at: &str) -> Result<(), Refused> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(invalid(&format!(
            "Invalid JSON payload received. Unknown name \"{key}\"{at}: Cannot find field."
        ))),
    }
}

fn read_policy(call: &Call) -> Result<(Vec<Binding>, Option<String>, u8), Refused> {
    let body = body(call)?;
    // Unlike other services, Pub/Sub has no updateMask here.
    only_fields(&body, &["policy"], "")?;
    let empty = Object::new();
    let policy = match body.get("policy") {
        Some(policy) => policy
            .as_object()
            .ok_or_else(|| invalid("Invalid value at 'policy'"))?,
        None => &empty,
    };
    only_fields(policy, &["version", "etag", "bindings"], " at 'policy'")?;
    let version = match policy.get("version") {
        None | Some(Value::Null) => 0,
        Some(version) => version
            .as_u64()
            .and_then(|version| u8::try_from(version).ok())
            .filter(|version| [0, 1, 3].contains(version))
            .ok_or_else(|| invalid("Invalid policy version."))?,
    };
    let etag = match policy.get("etag") {
        None | Some(Value::Null) => None,
        Some(etag) => Some(
            etag.as_str()
                .ok_or_else(|| invalid("Invalid value at 'policy.etag'"))?,
        ),
    };
    let bindings = match policy.get("bindings") {
        None | Some(Value::Null) => Vec::new(),
        Some(list) => serde_json::from_value(list.clone())
            .map_err(|error| invalid(&format!("Invalid value at 'policy.bindings': {error}")))?,
    };
    let etag = etag.filter(|etag| !etag.is_empty()).map(str::to_owned);
    Ok((bindings, etag, version))
}

/// Members as stored: the type part is case-sensitive, the rest is lower-cased, but for a few kinds
/// (magic-modules: tpgiamresource).
fn canonical_member(member: &str) -> Option<String> {
    const KINDS: &[&str] = &[
        "user",
        "serviceAccount",
        "group",
        "domain",
        "deleted",
        "projectOwner",
        "projectEditor",
        "projectViewer",
    ];
    const AS_THEY_ARE: &[&str] = &["principal", "principalSet", "principalHierarchy"];
    if ["allUsers", "allAuthenticatedUsers"].contains(&member) {
        return Some(member.to_owned());
    }
    let (kind, value) = member.split_once(':')?;
    if value.is_empty() {
        None
    } else if kind == "deleted" {
        // `deleted:serviceAccount:E?uid=N` keeps the casing of its inner kind (terraform-provider-google#7278).
        let (inner, value) = value.split_once(':')?;
        Some(format!("deleted:{inner}:{}", value.to_lowercase()))
    } else if AS_THEY_ARE.contains(&kind) {
        Some(member.to_owned())
    } else {
        KINDS
            .contains(&kind)
            .then(|| format!("{kind}:{}", value.to_lowercase()))
    }
}

/// One binding per (role, condition), members in order and once, none without members.
fn canonical(given: Vec<Binding>) -> Result<Vec<Binding>, Refused> {
    let mut bindings: Vec<Binding> = Vec::new();
    for binding in given {
        if !["roles/", "projects/", "organizations/"]
            .iter()
            .any(|start| binding.role.starts_with(start))
        {
            return Err(invalid(&format!(
                "Role {} is not supported for this resource.",
                binding.role
            )));
        }
        let mut members = Vec::new();
        for member in &binding.members {
            let member = canonical_member(member)
                .ok_or_else(|| invalid(&format!("The member {member} is of an unknown type.")))?;
            members.push(member);
        }
        match bindings
            .iter_mut()
            .find(|known| known.role == binding.role && known.condition == binding.condition)
        {
            Some(known) => known.members.append(&mut members),
            None => bindings.push(Binding { members, ..binding }),
        }
    }
    for binding in &mut bindings {
        binding.members.sort();
        binding.members.dedup();
    }
    bindings.retain(|binding| !binding.members.is_empty());
    bindings.sort_by(|a, b| a.role.cmp(&b.role));
    Ok(bindings)
}

pub(super) fn set(
    pubsub: &mut Pubsub,
    of: Collection,
    name: &str,
    call: &Call,
    quirks: &Quirks,
) -> Result<Answer, Refused> {
    let (given, etag, version) = read_policy(call)?;
    let bindings = canonical(given)?;
    let conditional = bindings.iter().any(|binding| binding.condition.is_some());
    // Pub/Sub discovery: conditions are read and written with version 3.
    if conditional && version < 3 {
        return Err(invalid(
            "Policies with conditions must be written with version 3.",
        ));
    }
    let before = pubsub
        .of_kind(of)
        .get(name)
        .ok_or_else(|| not_found(name))?
        .policy
        .clone();
    let current = before.as_ref().map_or(UNSET, |policy| policy.etag.as_str());
    // No etag is a blind overwrite; a stale one is refused, and only a new read helps (stackshy/cloudemu#1019).
    if etag.is_some_and(|etag| etag != current) {
        return Err(refuse(409, "ABORTED", CONCURRENT));
    }
    if let Some(allowed) = &quirks.org_policy {
        let known = before
            .as_ref()
            .map_or(&[][..], |policy| policy.bindings.as_slice());
        check_org_policy(name, known, &bindings, allowed)?;
    }
    // Etags look like eight bytes in base64, different after every set.
    let policy = IamPolicy {
        etag: STANDARD.encode(pubsub.random.next_u64().to_be_bytes()),
        version: if conditional { 3 } else { 1 },
        bindings,
    };
    let answer = show(Some(&policy));
    if let Some(resource) = pubsub.of_kind(of).get_mut(name) {
        resource.policy = Some(policy);
    }
    Ok(answer)
}

/// Refuses members that are new; the constraint is not retroactive (Google docs: restricting-domains).
fn check_org_policy(
    name: &str,
    before: &[Binding],
    after: &[Binding],
    allowed: &[String],
) -> Result<(), Refused> {
    let known: Vec<&String> = before.iter().flat_map(|binding| &binding.members).collect();
    let barred = after
        .iter()
        .flat_map(|binding| &binding.members)
        .find(|member| {
            !known.contains(member)
                && !allowed
                    .iter()
                    .any(|ending| member.ends_with(ending.as_str()))
        });
    let Some(member) = barred else {
        return Ok(());
    };
    let project = name.split('/').nth(1).unwrap_or_default();
    let email = member
        .split_once(':')
        .map_or(member.as_str(), |(_, value)| value);
    let message = "One or more users named in the policy do not belong to a permitted customer.";
    let mut answer = super::error(400, "FAILED_PRECONDITION", message);
    super::add_detail(
        &mut answer,
        json!({
            "@type": "type.googleapis.com/google.rpc.PreconditionFailure",
            "violations": [{
                "type": "constraints/iam.allowedPolicyMemberDomains",
                "subject": format!("orgpolicy:projects/{project}?configvalue={email}"),
                "description": format!("User {email} is not in permitted organization."),
            }],
        }),
    );
    Err(Box::new(answer))
}

/// A missing resource gives an empty set, not 404.
pub(super) fn test(
    pubsub: &mut Pubsub,
    of: Collection,
    name: &str,
    call: &Call,
) -> Result<Answer, Refused> {
    let body = body(call)?;
    only_fields(&body, &["permissions"], "")?;
    let asked = body
        .get("permissions")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if asked
        .iter()
        .any(|name| name.as_str().is_none_or(|name| name.contains('*')))
    {
        return Err(invalid("Wildcards are not allowed in permissions."));
    }
    let known = pubsub.of_kind(of).contains_key(name);
    let body = if known && !asked.is_empty() {
        json!({"permissions": asked})
    } else {
        json!({})
    };
    Ok(Answer::json(200, body))
}
