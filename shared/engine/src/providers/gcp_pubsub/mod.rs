//! Under construction.
use kedge_core::change::{Applied, Change, ChangeError};
use kedge_core::live::{ScopeReading, Wanted};

use crate::ports::{ReadPorts, WritePorts};
use crate::session::Context;

pub(super) async fn read_live<P: ReadPorts>(
    _cx: Context<'_, P>,
    _project: &str,
    _wanted: &Wanted,
) -> ScopeReading {
    ScopeReading::default()
}

pub(super) async fn carry_out<P: WritePorts>(
    _cx: Context<'_, P>,
    _project: &str,
    _change: &Change,
) -> Result<Applied, ChangeError> {
    Err(ChangeError::Failed {
        reason: "under construction".to_owned(),
    })
}
