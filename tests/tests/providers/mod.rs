//! Each provider against the sandbox, in virtual time.

mod cloudflare_dns;
