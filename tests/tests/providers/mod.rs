//! Each provider against the sandbox, in virtual time.

mod gcp_pubsub;
