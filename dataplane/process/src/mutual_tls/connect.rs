//! The way to a program that listens.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::stream::Stream;

/// Connects, and lets both sides prove themselves. The server's certificate must carry `name`. How long
/// it may take is up to the caller.
///
/// # Errors
/// What the system or the handshake says.
pub async fn connect(
    address: SocketAddr,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
) -> io::Result<Stream> {
    let stream = TcpStream::connect(address).await?;
    // Costs some speed where it cannot be set, and nothing else.
    let _ = stream.set_nodelay(true);
    let stream = TlsConnector::from(config).connect(name, stream).await?;
    Ok(Stream::Tls(Box::new(stream.into())))
}
