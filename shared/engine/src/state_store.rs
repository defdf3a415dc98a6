//! Reading and writing what the store keeps of one stack: state, what checks remember, records.

use bytes::Bytes;
use kedge_core::hint::Hint;
use kedge_core::model::StackName;
use kedge_core::state::{self, DecodeError, State, Watch};
use kedge_core::stored::hold::Holds;
use kedge_core::stored::run::RunRecord;
use kedge_core::stored::{COUNT_MAX, EncodeError, StoredError};
use thiserror::Error;

use crate::budget::STATE_WRITE_EVERY_MS;
use crate::keys::Keys;
use crate::ports::{Clock, Condition, ETag, PutOutcome, Random, Store, StoreError, Version};

/// State could not be read or written.
#[derive(Debug, Error)]
pub enum StateStoreError {
    /// The store failed.
    #[error("the store could not be read or written")]
    Store(#[from] StoreError),
    /// What it holds can't be used.
    #[error(
        "the state of stack `{stack}` can't be used, so nothing is changed{}",
        earlier_ones(stack, source)
    )]
    Decode {
        /// Whose.
        stack: StackName,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// Another object beside state can't be used.
    #[error("{} of stack `{stack}` can't be used, so nothing is changed", source.object())]
    Stored {
        /// Whose.
        stack: StackName,
        /// Why.
        #[source]
        source: StoredError,
    },
    /// State is gone beside a history: an accident, not a beginning (semantics 7.1).
    #[error(
        "stack `{stack}` has no state.json, but {history} shows that it had one; nothing is changed \
         until state.json is restored from that history, or the history is removed"
    )]
    StateLost {
        /// Whose.
        stack: StackName,
        /// One of the copies that are left.
        history: String,
    },
    /// State was deleted while a run worked.
    #[error(
        "somebody deleted state.json of stack `{stack}` during this run; nothing more was changed, \
         and nothing will be until it is restored: copy the newest file in stacks/{stack}/state/ of \
         the store to state.json; the next run reads what was changed since"
    )]
    StateGone {
        /// Whose.
        stack: StackName,
    },
    /// Another run wrote the state since this one read it.
    #[error(
        "another run changed the state of stack `{stack}` meanwhile; this run changed nothing more"
    )]
    Moved {
        /// Whose.
        stack: StackName,
    },
    /// What checks remember was written by a newer program.
    #[error(
        "watch.json of stack `{stack}` is from a newer kedge and is left as it is; every drift counts \
         as new"
    )]
    NewerWatch {
        /// Whose.
        stack: StackName,
        /// Which format.
        #[source]
        source: StoredError,
    },
    /// It could not be read back, and is not written.
    #[error("state could not be written, so nothing is changed")]
    Encode(#[from] EncodeError),
}

impl StateStoreError {
    /// Whether the same may go well later though nobody did anything about it.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Moved { .. })
    }
}

impl StateStoreError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Moved { .. } => Some(Hint::RunAgain),
            _ => None,
        }
    }
}

/// What became of what a run remembers. Only a run that wrote it may tell people of news (semantics
/// 8.5).
#[derive(Debug)]
pub enum Kept {
    /// There was news, and this run wrote it.
    Wrote,
    /// There was none.
    Same,
    /// Another run wrote first, of the same world.
    LostRace,
    /// It could not be written.
    Failed(StateStoreError),
    /// Nothing was to be kept: read-only, or nothing could be told for sure.
    NotKept,
}

/// Where to look for a state that can be used; a newer program's is not to be replaced.
fn earlier_ones(stack: &StackName, source: &DecodeError) -> String {
    match source.is_newer() {
        true => String::new(),
        false => format!("; earlier states are in stacks/{stack}/state/ of the store"),
    }
}

/// State as it was read.
#[derive(Debug, Clone)]
pub(crate) struct ReadState {
    pub(crate) state: Option<State>,
    pub(crate) etag: Option<ETag>,
}

impl ReadState {
    /// The epoch that state bears; 0 if there is none.
    pub(crate) fn epoch(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.epoch)
    }
}

/// Reads a stack's state.
pub(crate) async fn read_state<S: Store>(
    store: &S,
    stack: &StackName,
) -> Result<ReadState, StateStoreError> {
    let keys = Keys::of(stack);
    let Some(object) = store.get(&keys.state).await? else {
        if let Some(history) = store.list(&keys.history).await?.pop() {
            return Err(StateStoreError::StateLost {
                stack: stack.clone(),
                history,
            });
        }
        return Ok(ReadState {
            state: None,
            etag: None,
        });
    };
    let state = state::decode(&object.bytes, stack).map_err(|source| StateStoreError::Decode {
        stack: stack.clone(),
        source,
    })?;
    Ok(ReadState {
        state: Some(state),
        etag: Some(object.etag),
    })
}

/// Writes bytes that nobody else writes (they bear a nonce): where the answer is lost, a second look
/// tells whether they arrived.
pub(crate) async fn put_own<S: Store>(
    store: &S,
    key: &str,
    bytes: Bytes,
    condition: Condition,
) -> Result<PutOutcome, StoreError> {
    let error = match store.put(key, bytes.clone(), condition).await {
        Err(error) => error,
        outcome => return outcome,
    };
    match store.get(key).await {
        Ok(Some(object)) if object.bytes == bytes => Ok(PutOutcome::Written(Version {
            etag: object.etag,
            written_at: object.written_at,
        })),
        _ => Err(error),
    }
}

/// Reads what is held (semantics 6.8); nothing is, if nobody ever held anything.
pub(crate) async fn read_holds<S: Store>(
    store: &S,
    stack: &StackName,
) -> Result<Holds, StateStoreError> {
    let read = read_holds_to_change(store, stack).await?;
    read.holds.map_err(|source| StateStoreError::Stored {
        stack: stack.clone(),
        source,
    })
}

/// Keeps the record of a run, unless there is one.
pub(crate) async fn write_run<S: Store>(
    store: &S,
    stack: &StackName,
    record: &RunRecord,
) -> Result<(), StateStoreError> {
    let bytes = Bytes::from(record.encode()?);
    let key = Keys::of(stack).run(&record.id);
    // The id is this run's alone, so a conflict is what was kept of it before.
    put_own(store, &key, bytes, Condition::Absent).await?;
    Ok(())
}

/// Keeps the record of a run in place of the one that is kept of it already.
pub(crate) async fn write_run_again<S: Store>(
    store: &S,
    stack: &StackName,
    record: &RunRecord,
) -> Result<(), StateStoreError> {
    let key = Keys::of(stack).run(&record.id);
    let condition = match store.get(&key).await? {
        Some(there) => Condition::Is(there.etag),
        None => Condition::Absent,
    };
    put_own(store, &key, Bytes::from(record.encode()?), condition).await?;
    Ok(())
}

/// What checks remember, as it was read.
#[derive(Debug)]
pub(crate) struct ReadWatch {
    pub(crate) watch: Watch,
    condition: Condition,
    /// Why what is stored can't be used, if so: the checks before are forgotten then.
    pub(crate) fault: Option<StoredError>,
}

/// Reads what checks remember.
pub(crate) async fn read_watch<S: Store>(
    store: &S,
    stack: &StackName,
) -> Result<ReadWatch, StateStoreError> {
    let object = store.get(&Keys::of(stack).watch).await?;
    Ok(match object {
        None => ReadWatch {
            watch: Watch::default(),
            condition: Condition::Absent,
            fault: None,
        },
        Some(object) => {
            let (watch, fault) = match Watch::decode(&object.bytes) {
                Ok(watch) => (watch, None),
                Err(error) => (Watch::default(), Some(error)),
            };
            ReadWatch {
                watch,
                condition: Condition::Is(object.etag),
                fault,
            }
        }
    })
}

/// Writes what checks remember, if it is news.
///
/// # Errors
/// When it can't be written, or a newer program wrote what is there.
pub(crate) async fn write_watch<S: Store>(
    store: &S,
    stack: &StackName,
    before: ReadWatch,
    watch: &Watch,
) -> Result<Kept, StateStoreError> {
    // A damaged one is written anew.
    if let Some(source) = before.fault.filter(StoredError::is_newer) {
        let stack = stack.clone();
        return Err(StateStoreError::NewerWatch { stack, source });
    }
    if !watch.is_news_after(&before.watch) {
        return Ok(Kept::Same);
    }
    let bytes = Bytes::from(watch.encode()?);
    let key = Keys::of(stack).watch;
    Ok(match store.put(&key, bytes, before.condition).await? {
        PutOutcome::Written(_) => Kept::Wrote,
        PutOutcome::Conflict => Kept::LostRace,
    })
}

/// The holds of a stack as they were read, or why they can't be used.
#[derive(Debug)]
pub(crate) struct ReadHolds {
    pub(crate) holds: Result<Holds, StoredError>,
    pub(crate) condition: Condition,
}

/// Reads a stack's holds to change them.
pub(crate) async fn read_holds_to_change<S: Store>(
    store: &S,
    stack: &StackName,
) -> Result<ReadHolds, StoreError> {
    let Some(object) = store.get(&Keys::of(stack).hold).await? else {
        return Ok(ReadHolds {
            holds: Ok(Holds::default()),
            condition: Condition::Absent,
        });
    };
    Ok(ReadHolds {
        holds: Holds::decode(&object.bytes),
        condition: Condition::Is(object.etag),
    })
}

/// Writes state during one run: each write is conditional on the one before, so that a run that
/// lost its place stops at once; and a second after it at the earliest, the first ones and the last
/// included.
#[derive(Debug)]
pub(crate) struct StateWriter<'a, S> {
    store: &'a S,
    keys: Keys,
    condition: Condition,
    /// When the last write was answered, by the monotonic clock.
    written_ms: Option<i64>,
}

impl<'a, S: Store> StateWriter<'a, S> {
    /// Begins a run: keeps a copy of the state it begins from. A first run begins from an empty
    /// state, which is its copy 0. That state is written before its copy, since a copy with no
    /// state beside it is what a lost state looks like.
    pub(crate) async fn begin(
        store: &'a S,
        state: &mut State,
        etag: Option<ETag>,
        ports: &(impl Clock + Random),
    ) -> Result<Self, StateStoreError> {
        let keys = Keys::of(&state.stack);
        let is_first = etag.is_none();
        let mut writer = Self {
            store,
            keys,
            condition: etag.map_or(Condition::Absent, Condition::Is),
            written_ms: None,
        };
        if is_first {
            writer.write(state, ports).await?;
        }
        if !writer.copied(state).await? {
            state.serial = writer.last_serial().await?.saturating_add(1);
            writer.copied(state).await?;
        }
        Ok(writer)
    }

    /// Copies the state a run begins from; false if another state has that serial, as after a person
    /// put an older copy back. The same copy, under another lease, is that of a run that crashed right
    /// after making it.
    async fn copied(&self, state: &State) -> Result<bool, StateStoreError> {
        let (key, copy) = (self.keys.copy(state.serial), state::encode(state)?);
        match put_own(self.store, &key, copy.into(), Condition::Absent).await? {
            PutOutcome::Written(_) => Ok(true),
            PutOutcome::Conflict => {
                let there = self.store.get(&key).await?;
                let there = there.map(|there| state::decode(&there.bytes, &state.stack));
                Ok(there.is_some_and(|there| {
                    let epoch = state.epoch;
                    there.is_ok_and(|there| State { epoch, ..there } == *state)
                }))
            }
        }
    }

    /// The highest serial of a copy.
    async fn last_serial(&self) -> Result<u64, StateStoreError> {
        let keys = self.store.list(&self.keys.history).await?;
        let serial = |key: &String| {
            let name = key.strip_prefix(&self.keys.history)?;
            let serial = name.strip_suffix(".json")?.parse::<u64>().ok()?;
            // Such a number is none of ours.
            (serial <= COUNT_MAX).then_some(serial)
        };
        Ok(keys.iter().filter_map(serial).max().unwrap_or_default())
    }

    /// Whether state may be written now, a second after the last write.
    pub(crate) fn is_ready(&self, clock: &impl Clock) -> bool {
        self.wait_ms(clock) == 0
    }

    /// Waits until it may be.
    pub(crate) async fn ready(&self, clock: &impl Clock) {
        if let wait_ms @ 1.. = self.wait_ms(clock) {
            clock.sleep_ms(wait_ms).await;
        }
    }

    fn wait_ms(&self, clock: &impl Clock) -> u64 {
        let since = |written| clock.monotonic_ms().saturating_sub(written);
        let left = self
            .written_ms
            .map(|written| STATE_WRITE_EVERY_MS - since(written).max(0));
        u64::try_from(left.unwrap_or_default()).unwrap_or_default()
    }

    /// Writes the state as it is now, once it may be written.
    pub(crate) async fn write(
        &mut self,
        state: &mut State,
        ports: &(impl Clock + Random),
    ) -> Result<(), StateStoreError> {
        self.ready(ports).await;
        state.step = state.step.saturating_add(1);
        state.nonce = format!("{:016x}", ports.next_u64());
        let bytes = Bytes::from(state::encode(state)?);
        let (key, condition) = (&self.keys.state, self.condition.clone());
        match put_own(self.store, key, bytes, condition).await? {
            PutOutcome::Written(version) => {
                self.condition = Condition::Is(version.etag);
                self.written_ms = Some(ports.monotonic_ms());
                Ok(())
            }
            PutOutcome::Conflict => {
                let stack = state.stack.clone();
                Err(match self.store.get(key).await? {
                    Some(_) => StateStoreError::Moved { stack },
                    None => StateStoreError::StateGone { stack },
                })
            }
        }
    }
}
