//! A host of a `tcp` grant, for clients that know of no proxy: its name means the gateway in the container,
//! and the gateway passes on what comes to its port.

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use super::{Shared, watch_over};
use crate::egress::EgressError;
use crate::policy::TcpGrant;
use crate::policy::tcp::denied_address;

/// Serves one connection, to its end.
pub(super) async fn serve(mut stream: TcpStream, grant: &TcpGrant, shared: &Shared) {
    let limit = shared.egress.options().connect_timeout;
    match shared.egress.connect(grant.host(), grant.port(), grant.networks(), limit).await {
        Ok(mut upstream) => {
            if watch_over(&upstream).is_ok() {
                drop(copy_bidirectional(&mut stream, &mut upstream).await);
            }
        }
        Err(EgressError::Address { ip, .. }) => shared.server.denied(&denied_address(grant, ip)),
        // The connection ends, as one does that could not be made.
        Err(_) => {}
    }
}
