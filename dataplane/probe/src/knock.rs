//! One try of an address: whether a TCP connection comes about.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::wire::Outcome;

/// How long a connection may take. Network policy mostly drops what it refuses, so this is how long a refusal takes.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Opens a connection and closes it.
pub async fn knock(address: SocketAddr) -> (Outcome, String) {
    match timeout(PATIENCE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => (Outcome::Reached, "a connection came about".to_owned()),
        Ok(Err(error)) => told(&error),
        Err(_) => {
            let seconds = PATIENCE.as_secs();
            (Outcome::Refused, format!("no answer within {seconds} s"))
        }
    }
}

fn told(error: &Error) -> (Outcome, String) {
    let outcome = match error.kind() {
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::PermissionDenied
        | ErrorKind::TimedOut => Outcome::Refused,
        // No descriptor, no port of its own: this says nothing about the other side.
        _ => Outcome::Failed,
    };
    (outcome, error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn who_listens_is_reached_and_who_does_not_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(knock(address).await.0, Outcome::Reached);
        drop(listener);
        let (outcome, because) = knock(address).await;
        assert_eq!(outcome, Outcome::Refused, "{because}");
    }

    #[test]
    fn what_is_amiss_on_this_side_is_no_refusal() {
        // EMFILE, and EHOSTUNREACH as a firewall may send it.
        assert_eq!(told(&Error::from_raw_os_error(24)).0, Outcome::Failed);
        assert_eq!(told(&Error::from_raw_os_error(113)).0, Outcome::Refused);
    }
}
