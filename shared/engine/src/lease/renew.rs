//! Keeping a lease while the run works, and giving it back: points 3 and 5 of the protocol in `mod.rs`.

use std::convert::Infallible;
use std::pin::pin;

use futures_util::future::{Either, pending, select};

use super::known_holds::HOLDS_UNREAD;
use super::permit::Moment;
use super::write::Wrote;
use super::{Lease, LeaseError, TRIES};
use crate::error_chain::error_chain;
use crate::ports::{Clock, Random, Store};

impl<P: Clock + Random, S: Store> Lease<'_, P, S> {
    /// Does this work and renews the lease beside it.
    pub(crate) async fn keep<T>(&self, work: impl Future<Output = T>) -> T {
        match select(pin!(work), pin!(self.renew_on())).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => match never {},
        }
    }

    async fn renew_on(&self) -> Infallible {
        loop {
            self.ports.sleep_ms(self.times.slice_ms()).await;
            if self.permit.has_ended() {
                return pending().await;
            }
            if self.permit.age_ms(self.ports) >= self.times.renew_ms {
                // One that fails, or can't read the holds, is tried again in a moment; the permit
                // grows stale by itself.
                let _ = self.renew().await;
            }
        }
    }

    /// Renews it, if the last renewal began longer ago than this, whether that counts or not.
    pub(crate) async fn renewed_within(&self, ms: i64) -> Result<(), LeaseError> {
        match self.renewed.get().age_ms(self.ports) < ms && !self.permit.has_ended() {
            true => Ok(()),
            false => self.renew().await.map(|_| ()),
        }
    }

    /// Renews it, if the last renewal that counts began longer ago than this, until one does: a change
    /// that can't be taken back may be begun then. Gives up when the lease must have run out.
    ///
    /// # Errors
    /// With why not.
    pub(crate) async fn counts_within(&self, ms: i64) -> Result<(), String> {
        loop {
            if self.permit.age_ms(self.ports) < ms && !self.permit.has_ended() {
                return Ok(());
            }
            match self.renew().await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => return Err(error_chain(&error)),
            }
            if self.permit.has_run_out(self.ports) || self.is_out_of_time() {
                return Err(HOLDS_UNREAD.to_owned());
            }
            self.ports.sleep_ms(self.times.slice_ms()).await;
        }
    }

    /// Renews it, and says whether that counts: the holds were read after it.
    async fn renew(&self) -> Result<bool, LeaseError> {
        let mut written = self.written.lock().await;
        let mut problem = None;
        for _ in 0..TRIES {
            written.lease.renewed = written.lease.renewed.saturating_add(1);
            let began = Moment::now(self.ports);
            match self.write(&mut written).await? {
                Wrote::Ours => {
                    self.renewed.set(began);
                    let counts = self.read_holds().await;
                    if counts {
                        self.permit.renewed(began);
                    }
                    return Ok(counts);
                }
                // An earlier write of ours landed late; its version is known now.
                Wrote::Earlier => {}
                Wrote::Unknown(source) => problem = Some(source),
            }
        }
        Err(self.failed(problem))
    }

    /// Gives it back, if it is still ours.
    ///
    /// # Errors
    /// When the store can't say; the lease ends by itself then.
    pub(crate) async fn release(self) -> Result<(), LeaseError> {
        let mut written = self.written.lock().await;
        self.permit.end("the lease was released");
        written.lease.released = true;
        let mut problem = None;
        for _ in 0..TRIES {
            // A write that was not made and lands late must not undo this one.
            written.lease.renewed = written.lease.renewed.saturating_add(1);
            match self.write(&mut written).await {
                // Whoever took it over has nothing to be given.
                Ok(Wrote::Ours) | Err(LeaseError::Lost { .. }) => return Ok(()),
                Ok(Wrote::Earlier) => {}
                Ok(Wrote::Unknown(source)) => problem = Some(source),
                Err(error) => return Err(error),
            }
        }
        Err(self.failed(problem))
    }
}
