//! Where a program takes requests: on a unix socket, over mutual TLS, or both.

use std::future::pending;
use std::path::Path;

use crate::exit::Exit;
use crate::mutual_tls;
use crate::run::Context;
use crate::socket::{self, Peers};
use crate::stream::Stream;

/// What a configuration says about it.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The member that names the unix socket, for messages.
    pub member: &'static str,
    /// The unix socket.
    pub socket: Option<&'a Path>,
    /// Who may connect to it; the own user when empty.
    pub allowed_uids: &'a [u32],
    /// The member `listen`.
    pub listen: Option<&'a mutual_tls::Settings>,
}

/// The bound places. What comes in by either of them is served in the same way.
#[derive(Debug)]
pub struct Entrance {
    socket: Option<socket::Listener>,
    tls: Option<mutual_tls::Listener>,
}

impl Places<'_> {
    /// There is at least one.
    ///
    /// # Errors
    /// [`Exit::ConfigRefused`] naming both members.
    pub fn check(&self) -> Result<(), Exit> {
        if self.socket.is_some() || self.listen.is_some() {
            return Ok(());
        }
        let why = format!(
            "{}, listen: neither is there; at least one of the two is needed",
            self.member
        );
        Err(Exit::ConfigRefused(why))
    }

    /// Binds them all. Call it inside a runtime.
    ///
    /// # Errors
    /// As [`Places::check`], or why one of them cannot be bound.
    pub async fn bind(&self, context: &Context) -> Result<Entrance, Exit> {
        self.check()?;
        let peers = Peers::from_config(self.allowed_uids);
        let socket = self
            .socket
            .map(|path| socket::Listener::bind(path, peers))
            .transpose()?;
        let tls = match self.listen {
            Some(settings) => Some(mutual_tls::Listener::bind(settings, context).await?),
            None => None,
        };
        Ok(Entrance { socket, tls })
    }
}

impl Entrance {
    /// The next connection of somebody who may come in. Never fails. Dropping it loses nothing.
    pub async fn accept(&mut self) -> Stream {
        let Self { socket, tls } = self;
        let by_socket = async {
            match socket {
                Some(listener) => Stream::Unix(listener.accept().await),
                None => pending().await,
            }
        };
        let by_tls = async {
            match tls {
                Some(listener) => listener.accept().await,
                None => pending().await,
            }
        };
        tokio::select! {
            stream = by_socket => stream,
            stream = by_tls => stream,
        }
    }
}
