//! The operating system's random numbers.

use kedge_engine::ports::Random;
use ring::rand::SecureRandom;

/// Unpredictable bytes from the operating system.
#[derive(Debug)]
pub struct SystemRandom(ring::rand::SystemRandom);

impl SystemRandom {
    /// The system's source.
    #[must_use]
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl Random for SystemRandom {
    #[expect(
        clippy::expect_used,
        reason = "a machine without random bytes can make no nonce and no TLS connection; going on with a guess would be worse"
    )]
    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.0
            .fill(&mut bytes)
            .expect("the operating system gives random bytes");
        u64::from_le_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ() {
        let random = SystemRandom::new();
        assert_ne!(random.next_u64(), random.next_u64());
    }
}
