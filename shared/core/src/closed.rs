//! A macro for enums of plain variants, with a list of them all (`ALL`) that can't lack one.

/// Declares an enum of plain variants with `ALL`, so that a new variant can't be left out of it.
macro_rules! closed_enum {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident { $( $(#[$doc:meta])* $variant:ident, )* }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[$doc])* $variant, )* }

        impl $name {
            /// All, in order.
            pub const ALL: [Self; [$( stringify!($variant), )*].len()] = [$( Self::$variant, )*];
        }
    };
}
