//! Each provider against the sandbox, in virtual time.
