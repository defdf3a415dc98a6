//! The OpenAPI 3.1 document. A test makes it of the table of routes (`make documents` writes it), so that
//! what is shipped carries only its text.

/// The document.
pub(super) const DOCUMENT: &str = include_str!("../../../../docs/openapi.json");

#[cfg(test)]
mod tests;
