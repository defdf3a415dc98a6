//! The `format` of a document: a name and a number.

/// Makes the type of a document's `format` key, which has one value.
macro_rules! format_name {
    ($document:ident: $name:ident => $word:literal) => {
        impl super::Document for $document {}

        /// The name and number of this format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[cfg_attr(test, schemars(inline))]
        pub enum $name {
            /// The only one so far.
            #[serde(rename = $word)]
            V1,
        }
    };
}
