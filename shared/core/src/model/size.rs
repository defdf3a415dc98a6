//! Sizes as people say them.

use std::fmt;

/// A size as people say it: `512 bytes`, `8 MiB`. Rounded up, so that what is too large never reads as
/// what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub usize);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        match self.0 {
            bytes if bytes < KIB => write!(f, "{bytes} bytes"),
            bytes if bytes < MIB => write!(f, "{} KiB", bytes.div_ceil(KIB)),
            bytes => {
                let tenths = bytes.saturating_mul(10).div_ceil(MIB);
                match tenths % 10 {
                    0 => write!(f, "{} MiB", tenths / 10),
                    tenth => write!(f, "{}.{tenth} MiB", tenths / 10),
                }
            }
        }
    }
}
