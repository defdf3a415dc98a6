//! Names: stacks, scopes, kinds and resource keys. What is known of a kind is in [`crate::providers`].

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// Why a text is not a name of the wanted sort. Reads on after "because".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct NameError(pub String);

/// The name of a stack: 1 to 63 characters, lower-case letters, digits and dashes, beginning with a
/// letter and not with `goog`.
///
/// It prefixes Kafka topics and Pub/Sub ids, and Pub/Sub asks for a letter first and refuses
/// `goog` (Pub/Sub v1 discovery, `Topic.name`); 63 leaves room for the longest suffix in use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackName(String);

impl StackName {
    /// The longest stack name, in characters.
    pub const LENGTH_MAX: usize = 63;

    /// What is typed to answer a question. A stack's name is typed too, to consent to what can't be
    /// taken back, and must never be given by answering.
    const ANSWERS: [&str; 4] = ["yes", "y", "no", "n"];

    /// Checks and takes a stack name.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let fail = |why: &str| Err(NameError(format!("stack name `{text}` {why}")));
        if text.is_empty() || text.len() > Self::LENGTH_MAX {
            return fail("must have 1 to 63 characters");
        }
        if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
            return fail("must begin with a lower-case letter");
        }
        if !text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        {
            return fail("may hold only lower-case letters, digits and dashes");
        }
        if text.ends_with('-') || text.starts_with("goog") {
            return fail("must not end with a dash or begin with `goog`");
        }
        if Self::ANSWERS.contains(&text) {
            return fail("is an answer to a question, and can't be a stack's name");
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The prefix of every Kafka and Pub/Sub name of this stack: `{stack}-`.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("{}-", self.0)
    }

    /// Whether one of two different stack names, with a dash, begins the other, so that their
    /// namespaces overlap (`steve` and `steve-1`).
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self != other
            && (other.0.starts_with(&self.prefix()) || self.0.starts_with(&other.prefix()))
    }
}

impl fmt::Display for StackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place that is read as a whole: one Kafka service, one Google project, one DNS zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// An Aiven for Apache Kafka service.
    KafkaService {
        /// The Aiven project.
        project: String,
        /// The service in it.
        service: String,
    },
    /// A Google Cloud project, for Pub/Sub.
    GcpProject {
        /// The project id.
        project: String,
    },
    /// A Cloudflare DNS zone.
    DnsZone {
        /// The zone id (32 hexadecimal digits in practice).
        zone_id: String,
    },
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KafkaService { project, service } => write!(f, "{project}/{service}"),
            Self::GcpProject { project } => f.write_str(project),
            Self::DnsZone { zone_id } => f.write_str(zone_id),
        }
    }
}

closed_enum! {
    /// What sort of thing a resource is. [`crate::providers`] says all there is to know of each.
    ///
    /// The order is the order of creation: what others need comes first (a topic before its binding
    /// and its subscription); deletes go the other way round.
    pub enum Kind {
        /// A Kafka topic in an Aiven service. Its name is the topic's name.
        KafkaTopic,
        /// A Pub/Sub topic. Its name is the short id.
        PubsubTopic,
        /// The members of one role on one Pub/Sub topic. Its name is `<topic>/<role>`.
        PubsubBinding,
        /// A Pub/Sub subscription. Its name is the short id.
        PubsubSubscription,
        /// All addresses of one DNS name and type. Its name is `<fqdn>/<A or AAAA>`.
        DnsRecordSet,
    }
}

/// The identity of a resource: where it is, what it is, what it is called.
///
/// As text: `kafka-topic/<project>/<service>/<topic>`, `pubsub-topic/<project>/<id>`,
/// `pubsub-binding/<project>/<topic>/<role>`, `pubsub-subscription/<project>/<id>`,
/// `dns-record-set/<zone id>/<fqdn>/<type>`. The order of keys is by kind, then scope, then name.
///
/// A run holds a key many times over, so its texts are shared: a copy costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourceKey {
    kind: Kind,
    scope: Arc<Scope>,
    name: Arc<str>,
}

impl Ord for ResourceKey {
    fn cmp(&self, other: &Self) -> Ordering {
        // Shared texts are equal without being read.
        let scopes = || match Arc::ptr_eq(&self.scope, &other.scope) {
            true => Ordering::Equal,
            false => self.scope.cmp(&other.scope),
        };
        let names = || match Arc::ptr_eq(&self.name, &other.name) {
            true => Ordering::Equal,
            false => self.name.cmp(&other.name),
        };
        (self.kind.cmp(&other.kind))
            .then_with(scopes)
            .then_with(names)
    }
}

impl PartialOrd for ResourceKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl ResourceKey {
    fn new(kind: Kind, scope: Scope, name: &str) -> Self {
        Self {
            kind,
            scope: Arc::new(scope),
            name: Arc::from(name),
        }
    }

    /// Takes over another key's text of an equal scope, so that the two are compared without
    /// reading it: a stack has many keys and few scopes. Says whether the scopes are equal.
    pub fn share_scope(&mut self, other: &Self) -> bool {
        let is_equal = self.scope == other.scope;
        if is_equal && !Arc::ptr_eq(&self.scope, &other.scope) {
            self.scope = Arc::clone(&other.scope);
        }
        is_equal
    }

    /// The key of what has another name, of the same kind and in the same place, whose text the two
    /// share.
    #[must_use]
    pub fn named(&self, name: impl Into<Arc<str>>) -> Self {
        Self {
            kind: self.kind,
            scope: Arc::clone(&self.scope),
            name: name.into(),
        }
    }

    /// The key of a Kafka topic.
    #[must_use]
    pub fn kafka_topic(project: &str, service: &str, topic: &str) -> Self {
        let scope = Scope::KafkaService {
            project: project.to_owned(),
            service: service.to_owned(),
        };
        Self::new(Kind::KafkaTopic, scope, topic)
    }

    /// The key of a Pub/Sub topic.
    #[must_use]
    pub fn pubsub_topic(project: &str, topic: &str) -> Self {
        Self::new(Kind::PubsubTopic, gcp(project), topic)
    }

    /// The key of a Pub/Sub subscription.
    #[must_use]
    pub fn pubsub_subscription(project: &str, subscription: &str) -> Self {
        Self::new(Kind::PubsubSubscription, gcp(project), subscription)
    }

    /// The key of one role on one Pub/Sub topic.
    #[must_use]
    pub fn pubsub_binding(project: &str, topic: &str, role: &str) -> Self {
        let name = format!("{topic}/{role}");
        Self::new(Kind::PubsubBinding, gcp(project), &name)
    }

    /// The key of a DNS record set; `record_type` is `A` or `AAAA`, `fqdn` lower case, no final dot.
    #[must_use]
    pub fn dns_record_set(zone_id: &str, fqdn: &str, record_type: &str) -> Self {
        let scope = Scope::DnsZone {
            zone_id: zone_id.to_owned(),
        };
        let name = format!("{fqdn}/{record_type}");
        Self::new(Kind::DnsRecordSet, scope, &name)
    }

    /// What sort of thing it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it is.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Its name within kind and scope (see [`Kind`] for the form).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its service, project or zone as people know it: a zone by a name in it, since its id tells them
    /// nothing.
    #[must_use]
    pub fn scope_text(&self) -> String {
        match self.scope() {
            Scope::DnsZone { .. } => format!("the DNS zone of {}", self.name_head()),
            other => other.to_string(),
        }
    }

    /// The part of the name before the first `/`: the Pub/Sub topic of a binding, the domain name
    /// of a record set, the whole name of anything else.
    #[must_use]
    pub fn name_head(&self) -> &str {
        self.name
            .split_once('/')
            .map_or(&*self.name, |(head, _)| head)
    }

    /// The part of the name after the first `/`: a binding's role, a record set's type, else empty.
    #[must_use]
    pub fn name_tail(&self) -> &str {
        self.name.split_once('/').map_or("", |(_, tail)| tail)
    }

    /// The Pub/Sub topic a binding stands on.
    #[must_use]
    pub fn binding_topic(&self) -> Option<Self> {
        match (&self.kind, &*self.scope) {
            (Kind::PubsubBinding, Scope::GcpProject { project }) => {
                Some(Self::pubsub_topic(project, self.name_head()))
            }
            _ => None,
        }
    }

    /// Reads the text form back.
    ///
    /// # Errors
    /// When the text is the key of no kind.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let fail = || NameError(format!("`{text}` is not a resource key"));
        let (kind, rest) = text.split_once('/').ok_or_else(fail)?;
        let (first, rest) = rest.split_once('/').ok_or_else(fail)?;
        if first.is_empty() || rest.is_empty() {
            return Err(fail());
        }
        let is_it = |known: &Kind| known.as_str() == kind;
        let known = Kind::ALL.into_iter().find(is_it).ok_or_else(fail)?;
        (known.entry().parse)(first, rest).ok_or_else(fail)
    }

    /// Whether a person's short form means this key: the key itself, its name, its name's head, or
    /// any ending of the key that begins after a `/`.
    #[must_use]
    pub fn answers_to(&self, short: &str) -> bool {
        self.short_forms().contains(short)
    }

    /// All texts that this key answers to. Who looks for many texts among many keys looks these up.
    #[must_use]
    pub fn short_forms(&self) -> BTreeSet<String> {
        let full = self.to_string();
        let mut forms: BTreeSet<String> = full
            .match_indices('/')
            .filter_map(|(at, _)| full.get(at + 1..))
            .map(str::to_owned)
            .collect();
        forms.insert(self.name_head().to_owned());
        forms.insert(format!("{}/{}", self.kind.as_str(), self.name));
        forms.insert(full);
        forms
    }
}

fn gcp(project: &str) -> Scope {
    Scope::GcpProject {
        project: project.to_owned(),
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind.as_str(), self.scope, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_text_form() {
        for key in [
            ResourceKey::kafka_topic("p", "s", "dev-runtime"),
            ResourceKey::pubsub_topic("p", "t"),
            ResourceKey::pubsub_subscription("p", "t-sub"),
            ResourceKey::pubsub_binding("p", "t", "roles/pubsub.publisher"),
            ResourceKey::dns_record_set("z", "1.clustera.io", "AAAA"),
        ] {
            assert_eq!(ResourceKey::parse(&key.to_string()), Ok(key));
        }
    }

    #[test]
    fn short_forms() {
        let key = ResourceKey::dns_record_set("z", "1.clustera.io", "A");
        for short in [
            "1.clustera.io",
            "1.clustera.io/A",
            "dns-record-set/z/1.clustera.io/A",
            "dns-record-set/1.clustera.io/A",
        ] {
            assert!(key.answers_to(short), "{short}");
        }
        assert!(!key.answers_to("clustera.io/A"));
    }

    #[test]
    fn stack_names() {
        for good in ["prod", "steve1", "a-b", "yes-1", "nobody"] {
            assert!(StackName::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "1a",
            "A",
            "a_b",
            "a-",
            "google",
            "-a",
            "yes",
            "y",
            "no",
            "n",
            &"a".repeat(64),
        ] {
            assert!(StackName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn namespaces_overlap_only_by_prefix() {
        let name = |text| StackName::new(text).unwrap();
        assert!(name("steve").overlaps(&name("steve-1")));
        assert!(name("steve-1").overlaps(&name("steve")));
        assert!(!name("steve").overlaps(&name("steve1")));
        assert!(!name("steve").overlaps(&name("steve")));
    }
}
