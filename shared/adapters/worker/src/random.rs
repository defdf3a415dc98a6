//! WebCrypto's random numbers.

use kedge_engine::ports::Random;

/// Unpredictable bytes by `crypto.getRandomValues`. Only for code that an event runs: the runtime refuses them
/// before the first event.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebRandom;

impl Random for WebRandom {
    #[expect(
        clippy::expect_used,
        reason = "a runtime without random bytes can make no nonce; going on with a guess would be worse"
    )]
    fn next_u64(&self) -> u64 {
        getrandom::u64().expect("the runtime gives random bytes")
    }
}
