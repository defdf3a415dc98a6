//! The evidence that a resource is not there (semantics 3.1).
//!
//! Nothing is absent without a [`Proof`]. Each constructor names one row of the table in 3.1, and only
//! the provider that has this evidence calls it (`clippy.toml` refuses it elsewhere).

/// The evidence that a resource is not there.
///
/// It has no default and no public field, so an absence can't be made by oversight:
///
/// ```compile_fail,E0599
/// let proof = kedge_core::live::Proof::default();
/// ```
///
/// ```compile_fail,E0423
/// let proof = kedge_core::live::Proof(());
/// ```
///
/// And an absence can't be expressed without it:
///
/// ```compile_fail,E0308
/// use kedge_core::live::Reading;
/// let reading: Reading<'_> = Reading::Absent;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof(Evidence);

/// What the evidence was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evidence {
    CompleteList,
    CountedList,
    Policy,
    UnlistedAndNotFound,
    NeverRecordedAndUnlisted,
    ConfirmedByPerson,
}

impl Proof {
    /// Pub/Sub: every page of the list was read, each element has a name, and none has this one.
    #[must_use]
    pub const fn not_in_complete_list() -> Self {
        Self(Evidence::CompleteList)
    }

    /// Cloudflare: the list has as many records as its `total_count` says, and none of them is of this
    /// record set.
    #[must_use]
    pub const fn not_in_counted_list() -> Self {
        Self(Evidence::CountedList)
    }

    /// Pub/Sub: the topic's policy was read, and nothing in it is of this binding.
    #[must_use]
    pub const fn not_in_policy() -> Self {
        Self(Evidence::Policy)
    }

    /// Aiven, a recorded name: a list that answered 200 lacks it, the service is running, and a GET of
    /// this name answered 404.
    #[must_use]
    pub const fn unlisted_and_not_found() -> Self {
        Self(Evidence::UnlistedAndNotFound)
    }

    /// Aiven, a name that was never recorded: a list that answered 200 lacks it. The list has other
    /// topics, or the service is running.
    #[must_use]
    pub const fn unlisted_and_never_recorded() -> Self {
        Self(Evidence::NeverRecordedAndUnlisted)
    }

    /// No list has it, and a person confirmed that it is gone (semantics 3.2).
    #[must_use]
    pub(crate) const fn confirmed_by_person() -> Self {
        Self(Evidence::ConfirmedByPerson)
    }
}
