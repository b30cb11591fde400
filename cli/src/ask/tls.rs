//! Whom a connection goes to, whose certificates are believed, which one is shown.

use std::net::SocketAddr;

use reqwest::header::{HOST, HeaderMap, HeaderValue};
use reqwest::tls::Certificate;
use reqwest::{ClientBuilder, Identity, Url};

use crate::args::ClientArgs;
use crate::exit::Failure;
use crate::file;

/// Whose certificates are believed, and which one is shown.
pub fn trust(mut builder: ClientBuilder, args: &ClientArgs) -> Result<ClientBuilder, Failure> {
    if let Some(path) = &args.cacert {
        let authorities = Certificate::from_pem_bundle(&file::bytes(path)?)
            .ok()
            .filter(|authorities| !authorities.is_empty())
            .ok_or_else(|| Failure::file(format!("{} holds no PEM certificate", path.display())))?;
        builder = builder.tls_certs_only(authorities);
    }
    if let (Some(certificate), Some(key)) = (&args.client_cert, &args.client_key) {
        let mut pem = file::bytes(certificate)?;
        pem.push(b'\n');
        pem.extend(file::bytes(key)?);
        let identity = Identity::from_pem(&pem).map_err(|_| {
            let (certificate, key) = (certificate.display(), key.display());
            Failure::file(format!(
                "{certificate} and {key} are not a certificate and its private key in PEM"
            ))
        })?;
        builder = builder.identity(identity);
    }
    Ok(builder)
}

/// Sends everything to one address, while the name in the URL stays what is asked for and checked.
/// HTTP/1.1, because there the Host header can keep the URL's own port.
pub fn pin(
    builder: ClientBuilder,
    server: &Url,
    address: SocketAddr,
) -> Result<ClientBuilder, Failure> {
    let authority = server.authority();
    let host = HeaderValue::from_str(authority)
        .map_err(|_| Failure::usage(format!("{authority} is not a host")))?;
    let name = server.host_str().unwrap_or_default();
    Ok(builder
        .resolve(name, address)
        .no_proxy()
        .http1_only()
        .default_headers(HeaderMap::from_iter([(HOST, host)])))
}

/// The URL that is connected to: a pinned address brings its own port.
pub fn pinned(server: &Url, connect: Option<SocketAddr>) -> Url {
    let mut url = server.clone();
    if let Some(address) = connect {
        // Only fails for URLs without a host; this one has one.
        let _ = url.set_port(Some(address.port()));
    }
    url
}
