//! Where simulated nodes listen: on this machine and nowhere else.

use std::net::{SocketAddr, TcpListener};

use super::node::Manner;
use super::world::World;

/// Whose door it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// Endpoints of nodes, by their numbers and names: some share an address.
    Nodes(Vec<(usize, String)>),
    /// What stands for the blackbox exporter.
    Blackbox,
    /// Who takes commands.
    Control,
}

/// An address at which somebody listens, unless he is down.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) address: SocketAddr,
    pub(super) behind: Behind,
    pub(super) listener: Option<TcpListener>,
}

impl Door {
    pub(super) fn new(address: SocketAddr, behind: Behind) -> Self {
        Self { address, behind, listener: None }
    }

    /// Opens or shuts, as those behind it are.
    ///
    /// # Errors
    /// Where somebody else listens there.
    pub(super) fn follow(&mut self, world: &World) -> Result<(), String> {
        let is_down = match &self.behind {
            Behind::Nodes(of) => of.iter().all(|(node, endpoint)| {
                let endpoint = world.nodes.get(*node).and_then(|node| node.endpoints.get(endpoint));
                endpoint.is_some_and(|endpoint| endpoint.manner == Manner::Down)
            }),
            Behind::Blackbox | Behind::Control => false,
        };
        if is_down {
            self.listener = None;
            return Ok(());
        }
        if self.listener.is_none() {
            let listener = TcpListener::bind(self.address).and_then(|listener| {
                listener.set_nonblocking(true)?;
                // A port that was not named is known now.
                self.address = listener.local_addr()?;
                Ok(listener)
            });
            let refused = |error| format!("cannot listen at {}: {error}", self.address);
            self.listener = Some(listener.map_err(refused)?);
        }
        Ok(())
    }
}

/// The address, where it is one of this machine's own loopback.
pub(super) fn loopback(address: &str) -> Option<SocketAddr> {
    let address = address.replace("localhost:", "127.0.0.1:");
    address.parse::<SocketAddr>().ok().filter(|address| address.ip().is_loopback())
}
