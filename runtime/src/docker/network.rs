//! A network of one server's own, without a way to anywhere: only the machine that makes it has an address
//! there, its gateway.
//!
//! It is asked for as an internal one, which engines see to by rules of iptables, and some have none. So the
//! way to elsewhere, which a container can't change, leads to an address besides that nobody has. For that the
//! addresses must be given, and which are free the engine alone knows: it is asked for a network first, and
//! then for one with the addresses of that.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters::InspectNetworkOptions;
use tokio::sync::Mutex;

use super::engine::DockerEngine;
use super::error::{DockerError, StartError};
use super::leftover::Leftover;
use super::libpod;
use super::owner::Owner;

/// What an engine of Docker's is told besides: containers on it don't reach each other, and nobody is to be
/// taken for the machine.
const OPTIONS: [(&str, &str); 2] = [
    ("com.docker.network.bridge.enable_icc", "false"),
    ("com.docker.network.bridge.enable_ip_masquerade", "false"),
];

/// By this name an engine of Docker's knows the way to elsewhere, where it is not the machine itself.
const ELSEWHERE: &str = "DefaultGatewayIPv4";

/// Tries to make one, as another process may take the addresses that were free a moment ago.
const MAKINGS: usize = 3;

/// The prefix of the smallest network that has room for the machine, for nobody, and for a container.
const SMALLEST: u32 = 29;

/// Held by whoever is about to take addresses that are free.
static TURN: Mutex<()> = Mutex::const_new(());

/// A network of which it is known where it is.
pub(super) struct Network {
    made: Made,
    place: Place,
}

/// A network; removed when it is dropped, as soon as nobody is on it.
struct Made {
    engine: DockerEngine,
    id: String,
    name: String,
}

/// Where a network is, as addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The machine's own address there.
    pub(super) gateway: Ipv4Addr,
    base: Ipv4Addr,
    prefix: u32,
}

impl Network {
    /// Makes one. In a task of its own, as containers are.
    pub(super) async fn make(engine: &DockerEngine, owner: &Owner) -> Result<Self, StartError> {
        let (engine, owner) = (engine.clone(), owner.clone());
        let task = tokio::spawn(async move { Self::begin(&engine, &owner).await });
        task.await.unwrap_or_else(|error| Err(refused(error.to_string())))
    }

    async fn begin(engine: &DockerEngine, owner: &Owner) -> Result<Self, StartError> {
        let opening = engine.opening().await.ok_or(StartError::Stopping)?;
        let _turn = TURN.lock().await;
        let mut tries = 0;
        let made = loop {
            tries += 1;
            let free = Made::create(engine, request(owner, None)).await?;
            let place = free.place().await?;
            free.remove().await;
            match Made::create_without_names(engine, request(owner, Some(place))).await {
                Err(_) if tries < MAKINGS => {}
                made => break made?,
            }
        };
        drop(opening);
        Ok(Self { place: made.place().await?, made })
    }

    pub(super) fn name(&self) -> &str {
        &self.made.name
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }
}

impl Made {
    async fn create(engine: &DockerEngine, request: NetworkCreateRequest) -> Result<Self, StartError> {
        let name = request.name.clone();
        let made = engine.docker().create_network(request).await;
        let id = made.map_err(|error| engine.refused("make a network", &error))?.id;
        Ok(Self { engine: engine.clone(), id, name })
    }

    /// One whose addresses are given, and where nobody is asked for names.
    async fn create_without_names(
        engine: &DockerEngine,
        request: NetworkCreateRequest,
    ) -> Result<Self, StartError> {
        if !engine.is_podman().await {
            // Its name server is in the container itself, and is told of no other.
            return Self::create(engine, request).await;
        }
        libpod::create_network(engine.address(), &request).await.map_err(refused)?;
        Ok(Self { engine: engine.clone(), id: request.name.clone(), name: request.name })
    }

    /// Where the engine says that it is.
    async fn place(&self) -> Result<Place, StartError> {
        let looked = self.engine.docker().inspect_network(&self.id, None::<InspectNetworkOptions>).await;
        let looked = looked.map_err(|error| self.engine.refused("look at a network", &error))?;
        let configs = looked.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let place = configs.iter().find_map(Place::read);
        place.ok_or_else(|| refused("it says no address of it".to_owned()))
    }

    /// Removes one that nobody is on, at once.
    async fn remove(mut self) {
        let id = std::mem::take(&mut self.id);
        drop(self.engine.docker().remove_network(&id).await);
    }
}

fn refused(cause: String) -> StartError {
    DockerError::Refused { what: "make a network".to_owned(), cause }.into()
}

/// What an engine is asked for: a network with addresses of its choice, or with those of `place`.
fn request(owner: &Owner, place: Option<Place>) -> NetworkCreateRequest {
    NetworkCreateRequest {
        name: owner.name(),
        internal: Some(true),
        enable_ipv6: Some(false),
        attachable: Some(false),
        ipam: place.map(|place| Ipam { config: Some(vec![place.written()]), ..Ipam::default() }),
        options: Some(HashMap::from(OPTIONS.map(|(name, value)| (name.to_owned(), value.to_owned())))),
        labels: Some(owner.labels()),
        ..NetworkCreateRequest::default()
    }
}

impl Place {
    fn read(config: &IpamConfig) -> Option<Self> {
        let (base, prefix) = config.subnet.as_deref()?.split_once('/')?;
        let (base, prefix) = (base.parse().ok()?, prefix.parse().ok().filter(|prefix| *prefix <= SMALLEST)?);
        // With some engines the gateway has the length of the prefix, too.
        let gateway = config.gateway.as_deref()?.split('/').next()?.parse().ok()?;
        Some(Self { gateway, base, prefix })
    }

    fn written(self) -> IpamConfig {
        let elsewhere = HashMap::from([(ELSEWHERE.to_owned(), self.nobody().to_string())]);
        IpamConfig {
            subnet: Some(format!("{}/{}", self.base, self.prefix)),
            gateway: Some(self.gateway.to_string()),
            auxiliary_addresses: Some(elsewhere),
            ..IpamConfig::default()
        }
    }

    /// The last address that a machine could have, which the engine gives to none.
    fn nobody(self) -> Ipv4Addr {
        let last = u32::from(self.base) | !self.mask();
        Ipv4Addr::from(last.saturating_sub(1))
    }

    fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - self.prefix).unwrap_or(0)
    }

    /// Whether it is the address of a container there: one of the network that is not the machine's own.
    pub(super) fn has_container_at(self, ip: IpAddr) -> bool {
        let IpAddr::V4(ip) = ip.to_canonical() else { return false };
        let network = |ip: Ipv4Addr| u32::from(ip) & self.mask();
        ip != self.gateway && network(ip) == network(self.base)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let id = std::mem::take(&mut self.id);
        if !id.is_empty() {
            Leftover::Network(id).remove_later(&self.engine);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn a_network_is_asked_for_without_a_way_to_anywhere() {
        let owner =
            Owner { gateway: "g".to_owned(), process: "0123456789".to_owned(), server: "s".to_owned() };
        let place = Place { gateway: [172, 18, 0, 1].into(), base: [172, 18, 0, 0].into(), prefix: 16 };
        let request = request(&owner, Some(place));
        assert!(request.name.starts_with("toolgate-01234567-") && request.name.ends_with("-s"));
        let config = request.ipam.unwrap().config.unwrap().remove(0);
        assert_eq!(config.subnet.unwrap(), "172.18.0.0/16");
        assert_eq!(config.auxiliary_addresses.unwrap()["DefaultGatewayIPv4"], "172.18.255.254");
        assert_eq!((request.internal, request.enable_ipv6), (Some(true), Some(false)));
        assert_eq!(request.options.unwrap()["com.docker.network.bridge.enable_icc"], "false");
        assert_eq!(request.labels.unwrap()["dev.toolgate.process"], "0123456789");
    }

    #[test]
    fn containers_of_a_network_are_told_from_all_else() {
        let config = |subnet: &str, gateway: &str| IpamConfig {
            subnet: Some(subnet.to_owned()),
            gateway: Some(gateway.to_owned()),
            ..IpamConfig::default()
        };
        let place = Place::read(&config("172.18.0.0/16", "172.18.0.1")).unwrap();
        assert_eq!(place.gateway.to_string(), "172.18.0.1");
        for (ip, is_one) in [
            ("172.18.0.2", true),
            ("172.18.255.7", true),
            ("::ffff:172.18.0.2", true),
            ("172.18.0.1", false),
            ("172.19.0.2", false),
            ("127.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(place.has_container_at(ip.parse().unwrap()), is_one, "{ip}");
        }
        for (subnet, gateway) in [("fd00::/64", "fd00::1"), ("172.18.0.0/33", "172.18.0.1"), ("x", "y")] {
            assert_eq!(Place::read(&config(subnet, gateway)), None);
        }
    }
}
