//! Each request of an operation is counted before it is sent.

use kedge_adapters::{Failed, Tries};
use kedge_core::ran_out::RanOut;
use kedge_engine::ports::Attempts;

use super::*;

/// So many requests beyond the first of an operation.
struct Left(std::cell::Cell<u64>);

impl Attempts for Left {
    fn another(&self) -> Result<(), RanOut> {
        match self.0.get().checked_sub(1) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => Err(RanOut::Requests { needs: 1, left: 0 }),
        }
    }
}

#[test]
fn a_second_between_two_writes_of_a_key_is_waited_out() {
    const R2_MS: u64 = 1_000;
    let busy = Failed {
        was_heard: true,
        retry_after_ms: None,
    };
    let first_ms = S3Options::default().pause_ms;
    let mut tries = Tries::default();
    // The shortest pauses, and a try to spare.
    let pauses = std::iter::from_fn(|| tries.pause_ms(&busy, first_ms, 0));
    let pauses: Vec<u64> = pauses.collect();
    let waited: u64 = pauses.iter().rev().skip(1).sum();
    assert!(waited > R2_MS, "{pauses:?}");
}

/// Each request that is sent was counted, and none is sent that may not be.
#[tokio::test]
async fn each_request_is_counted_before_it_is_sent() {
    const NEXT: &str = "<ListBucketResult><IsTruncated>true</IsTruncated>\
                        <NextContinuationToken>t</NextContinuationToken></ListBucketResult>";
    let is_told = |reason: &str| reason.contains("out of requests: needs 1 request, 0 are left");
    for allowed in 0..3_u64 {
        let left = || Left(allowed.into());
        let sent = usize::try_from(allowed).unwrap() + 1;

        let stage = Stage::new(&[BUSY; 4]).await;
        let counted = left();
        let got = stage.play(stage.store.get_counting("key", &counted)).await;
        let told = got.unwrap_err().to_string();
        assert!(is_told(&told) && told.contains("429"), "{told}");
        assert_eq!((stage.methods().len(), counted.0.get()), (sent, 0));

        // A lost answer, the look for what became of it, the write again.
        let stage = Stage::new(&[BROKEN, GONE, BROKEN, GONE]).await;
        let counted = left();
        let put = stage
            .store
            .put_counting("key", text("x"), Condition::Absent, &counted);
        let told = stage.play(put).await.unwrap_err().to_string();
        assert!(is_told(&told), "{told}");
        assert_eq!((stage.methods().len(), counted.0.get()), (sent, 0));
    }
    let stage = Stage::new(&[Says(200, "", NEXT)]).await;
    let none = Left(0.into());
    let listed = stage.store.list_counting("p/", &none);
    let told = stage.play(listed).await.unwrap_err().to_string();
    assert!(is_told(&told), "{told}");
    assert_eq!(stage.methods().len(), 1);
}
