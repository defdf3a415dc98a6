//! Google Pub/Sub: topics, subscriptions, and who holds a role on a topic.

use super::{
    Credential, Deletion, Endpoint, HangsOn, KindEntry, Naming, Permissions, Provider,
    ProviderName, TextOf,
};
use crate::model::{
    DefaultValue, FieldName, FieldSpec, ItemRules, Kind, Meaning, ResourceKey, RiskRule, Scope,
    Shape, Special, Spelling, Unit, field, special_row as row,
};

/// Google Pub/Sub.
pub(super) static PUBSUB: Provider = Provider {
    name: ProviderName::Pubsub,
    word: "pubsub",
    title: "Google",
    about: "Google Cloud Pub/Sub.",
    scope: "Google project",
    kinds: &[
        Kind::PubsubTopic,
        Kind::PubsubBinding,
        Kind::PubsubSubscription,
    ],
    credential: Credential {
        variable: "GOOGLE_CREDENTIALS",
        may_be_a_file: true,
    },
    endpoint: Endpoint {
        variable: "PUBSUB_EMULATOR_HOST",
        default: "https://pubsub.googleapis.com",
        path: "",
        is_emulator: true,
    },
    permissions: Permissions {
        read: &[
            "pubsub.topics.list",
            "pubsub.topics.get",
            "pubsub.topics.getIamPolicy",
            "pubsub.subscriptions.list",
            "pubsub.subscriptions.get",
        ],
        write: &[
            "pubsub.topics.create",
            "pubsub.topics.update",
            "pubsub.topics.delete",
            "pubsub.topics.attachSubscription",
            "pubsub.topics.setIamPolicy",
            "pubsub.subscriptions.create",
            "pubsub.subscriptions.update",
            "pubsub.subscriptions.delete",
            "iam.serviceAccounts.actAs",
        ],
    },
    // Get and list are strongly consistent with what was written, but admin calls may take tens of
    // seconds under stress (Google's Pub/Sub reliability guide, part 3). So a write whose answer was
    // slow can become visible a little later.
    catching_up_ms: 60_000,
};

/// Topics.
pub(super) static TOPIC: KindEntry = KindEntry {
    provider: ProviderName::Pubsub,
    word: "pubsub-topic",
    label: "pubsub topic",
    about: "A Pub/Sub topic.",
    in_definitions: "Pub/Sub topic",
    fields: TOPIC_FIELDS,
    naming: Naming::StackPrefix,
    settings: &["gcp_project"],
    created_again: "",
    is_additive: false,
    hangs_on: None,
    parse: |project, id| Some(ResourceKey::pubsub_topic(project, id)),
    needs: super::needs_nothing,
    lost: topic_lost,
    siblings: super::no_siblings,
    full_name: |key, _| match key.scope() {
        Scope::GcpProject { project } => format!("projects/{project}/topics/{}", key.name()),
        _ => key.name().to_owned(),
    },
};

/// The members of a role on a topic.
pub(super) static BINDING: KindEntry = KindEntry {
    provider: ProviderName::Pubsub,
    word: "pubsub-binding",
    label: "binding",
    about: "The members of one role on one Pub/Sub topic.",
    in_definitions: "binding",
    fields: BINDING_FIELDS,
    naming: Naming::OfParent,
    settings: &["gcp_project"],
    created_again: "",
    is_additive: true,
    hangs_on: None,
    parse: |project, rest| {
        let (topic, role) = super::two_parts(rest)?;
        Some(ResourceKey::pubsub_binding(project, topic, role))
    },
    needs: |key, _| key.binding_topic().into_iter().collect(),
    lost: binding_lost,
    siblings: super::no_siblings,
    full_name: |key, items| format!("{} on {}: {items}", key.name_tail(), key.name_head()),
};

/// Subscriptions.
pub(super) static SUBSCRIPTION: KindEntry = KindEntry {
    provider: ProviderName::Pubsub,
    word: "pubsub-subscription",
    label: "subscription",
    about: "A Pub/Sub subscription.",
    in_definitions: "subscription",
    fields: SUBSCRIPTION_FIELDS,
    naming: Naming::StackPrefix,
    settings: &["gcp_project"],
    created_again: "",
    is_additive: false,
    hangs_on: Some(HangsOn {
        kind: Kind::PubsubTopic,
        field: "topic",
    }),
    parse: |project, id| Some(ResourceKey::pubsub_subscription(project, id)),
    needs: topics_of,
    lost: |_| "its backlog and its own IAM policy are lost".to_owned(),
    siblings: super::no_siblings,
    full_name: |key, _| match key.scope() {
        Scope::GcpProject { project } => format!("projects/{project}/subscriptions/{}", key.name()),
        _ => key.name().to_owned(),
    },
};

/// The topics that a subscription names.
fn topics_of(key: &ResourceKey, text_of: TextOf<'_>) -> Vec<ResourceKey> {
    let Scope::GcpProject { project } = key.scope() else {
        return Vec::new();
    };
    let references = SUBSCRIPTION_FIELDS.iter();
    references
        .filter(|spec| spec.shape == Shape::PubsubTopic)
        .filter_map(|spec| text_of(&FieldName::known(spec.name)))
        .map(|topic| ResourceKey::pubsub_topic(project, &topic))
        .collect()
}

fn topic_lost(deletion: &Deletion<'_>) -> String {
    let lost = "its policy is lost, and its subscriptions never get a message again";
    match deletion.dependants.join(", ").as_str() {
        "" => lost.to_owned(),
        names => {
            format!("{lost}, among them {names} of this stack")
        }
    }
}

fn binding_lost(deletion: &Deletion<'_>) -> String {
    let lost = match deletion.going.as_slice() {
        [one] => format!("{one} loses the role"),
        some => format!("{} lose the role", some.join(", ")),
    };
    let conditions = deletion.live.into_iter().flat_map(|live| &live.conditions);
    let kept: Vec<String> = conditions
        .map(|(member, words)| format!("{member} keeps it under the condition {words}"))
        .collect();
    match kept.join(", ").as_str() {
        "" => lost,
        kept => format!("{lost}; {kept}"),
    }
}

const PLAIN: Unit = Unit::Plain;
const EXPIRES: RiskRule = RiskRule::Destructive("messages beyond the new limit are deleted");
const GONE: RiskRule = RiskRule::SafeBut("messages already expired do not come back");
const REPLACED: RiskRule = RiskRule::Replace(
    "the subscription must be deleted and created again; its backlog and its own IAM policy are \
         lost",
);

/// A subscription that is kept however idle it is.
const EXPIRATION: &[Special] = &[row(
    Spelling::Word("never"),
    Meaning::NoLimit,
    "Pub/Sub v1 discovery, ExpirationPolicy.ttl: unset, it never expires",
)];

const LABELS: FieldSpec = field(
    "labels",
    Shape::TextMap {
        key_chars_max: 63,
        value_chars_max: 63,
        entries_max: 64,
    },
    PLAIN,
    "Labels; each key is compared by itself, undeclared keys are left alone.",
);

const TOPIC_FIELDS: &[FieldSpec] = &[
    LABELS,
    field(
        "message_retention",
        Shape::Duration {
            min_s: 600,
            max_s: 2_678_400,
        },
        PLAIN,
        "How long published messages can be replayed.",
    )
    // A topic without one retains nothing (v1 discovery, `Topic.messageRetentionDuration`).
    .least_when_unset()
    .raised(GONE)
    .lowered(EXPIRES),
    field(
        "kms_key_name",
        Shape::Text { chars_max: 512 },
        PLAIN,
        "Key that encrypts messages.",
    ),
    field(
        "allowed_persistence_regions",
        Shape::Texts,
        PLAIN,
        "Regions where messages may be stored.",
    ),
];

/// What a new subscription has where nothing is said: Pub/Sub v1 discovery, `Subscription`. A policy for
/// dead letters or retries that is there at all fills in its other half.
const SUBSCRIPTION_FIELDS: &[FieldSpec] = &[
    field(
        "topic",
        Shape::PubsubTopic,
        PLAIN,
        "The topic it listens to.",
    )
    .both(REPLACED),
    field(
        "push_endpoint",
        Shape::PushEndpoint,
        PLAIN,
        "Where messages are pushed, or `pull`.",
    )
    .hides_secrets()
    .default(DefaultValue::Text("pull"))
    .both(RiskRule::Disruptive("messages go elsewhere from now on")),
    field(
        "push_service_account",
        Shape::Text { chars_max: 255 },
        PLAIN,
        "Account whose token a push carries.",
    )
    .both(RiskRule::Disruptive("the endpoint sees another identity")),
    field(
        "push_audience",
        Shape::Text { chars_max: 2048 },
        PLAIN,
        "Audience of that token.",
    )
    // Without one Google uses the endpoint's URL (v1 discovery, `OidcToken.audience`).
    .default(DefaultValue::SameAs("push_endpoint"))
    .hides_secrets()
    .both(RiskRule::Disruptive("the endpoint sees another audience")),
    field(
        "ack_deadline_seconds",
        Shape::Int { min: 10, max: 600 },
        Unit::Seconds,
        "Time a consumer has to acknowledge.",
    )
    .default(DefaultValue::Int(10))
    .both(RiskRule::Disruptive(
        "messages in flight are delivered again earlier or later",
    )),
    field(
        "retain_acked_messages",
        Shape::Bool,
        PLAIN,
        "Keep acknowledged messages for replay.",
    )
    .default(DefaultValue::Flag(false))
    .lowered(RiskRule::Destructive(
        "acknowledged messages can no longer be replayed",
    )),
    field(
        "message_retention",
        Shape::Duration {
            min_s: 600,
            max_s: 2_678_400,
        },
        PLAIN,
        "How long unacknowledged messages are kept.",
    )
    .default(DefaultValue::Seconds(604_800))
    .raised(GONE)
    .lowered(EXPIRES),
    LABELS,
    field(
        "enable_message_ordering",
        Shape::Bool,
        PLAIN,
        "Deliver messages of one key in order.",
    )
    .default(DefaultValue::Flag(false))
    .both(REPLACED),
    field(
        "expiration",
        Shape::Expiration { min_s: 86_400 },
        PLAIN,
        "Idle time after which Google deletes the subscription, or `never`.",
    )
    .default(DefaultValue::Seconds(2_678_400))
    .lowered(RiskRule::Destructive(
        "the subscription is deleted sooner when idle",
    ))
    .special(EXPIRATION),
    field(
        "filter",
        Shape::Text { chars_max: 256 },
        PLAIN,
        "Which messages are delivered.",
    )
    .default(DefaultValue::Text(""))
    .both(REPLACED),
    field(
        "dead_letter_topic",
        Shape::PubsubTopic,
        PLAIN,
        "Where undeliverable messages go.",
    ),
    field(
        "max_delivery_attempts",
        Shape::Int { min: 5, max: 100 },
        PLAIN,
        "Deliveries before a message is undeliverable.",
    )
    .default(DefaultValue::Int(5)),
    field(
        "minimum_backoff",
        Shape::Duration {
            min_s: 0,
            max_s: 600,
        },
        PLAIN,
        "Shortest wait before a redelivery.",
    )
    .default(DefaultValue::Seconds(10)),
    field(
        "maximum_backoff",
        Shape::Duration {
            min_s: 0,
            max_s: 600,
        },
        PLAIN,
        "Longest wait before a redelivery.",
    )
    .default(DefaultValue::Seconds(600)),
    field(
        "enable_exactly_once_delivery",
        Shape::Bool,
        PLAIN,
        "No redelivery of acknowledged messages.",
    )
    .default(DefaultValue::Flag(false)),
];

const BINDING_FIELDS: &[FieldSpec] = &[field(
    "members",
    Shape::Members,
    PLAIN,
    "Members that must hold the role; others are left alone.",
)
.items(ItemRules {
    swapped_in: RiskRule::Safe,
    restored: RiskRule::Safe,
    removed: RiskRule::Destructive("the member loses the role"),
    foreign_removed: RiskRule::Destructive("the member loses the role"),
    foreign_only_if_exclusive: false,
})];
