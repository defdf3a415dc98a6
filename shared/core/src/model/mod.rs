//! The words of Kedge as types: names, values, fields, resources, policy.
//!
//! None of these types is serialisable; each boundary (YAML, stored JSON, a provider's wire, the
//! JSON shown to machines) has twins of its own.

mod bucket;
mod by_field;
mod declared;
mod field_name;
mod fields;
mod hash;
mod mark;
mod names;
mod policy;
mod printable;
mod resource;
mod run_id;
mod secret;
mod size;
mod special;
mod stack_verdict;
mod time;
mod value;

pub use bucket::{BUCKET_SCHEME, BucketAddress, BucketAddressError};
pub use by_field::ByField;
pub use declared::{Declared, DeclaredField, DeclaredResource, IgnoreRule, Origin, StackConfig};
pub use field_name::FieldName;
pub(crate) use fields::{ANY, at_least, field};
pub use fields::{
    DefaultValue, FieldSpec, ItemRules, RiskRule, Shape, Unit, WorseWith, default_value,
    field_spec, field_specs,
};
pub(crate) use hash::short_hash;
pub use hash::{is_hex, sha256};
pub use mark::{mark_of, marked_stack};
pub use names::{Kind, NameError, ResourceKey, Scope, StackName};
pub use policy::{Allowance, CheckEvery, Guards, OnMissing, Policy};
pub use printable::printable;
pub use resource::{CatchingUp, Fields, Recorded, has_items, items};
pub use run_id::{id_prefixes, id_time};
pub use secret::{Salt, SealedUrl, SecretText, UrlError};
pub use size::Size;
pub(crate) use special::row as special_row;
pub use special::{Meaning, Special, Spelling, mean_the_same};
pub use stack_verdict::StackVerdict;
pub use time::{Timestamp, ago, span_ms};
pub use value::Value;
