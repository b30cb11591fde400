//! A lean open-loop client: requests are due on a schedule, whether or not earlier ones came back, and
//! latency counts from when a request was due. One that finds all connections busy leaves late, and
//! that shows in its latency.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use pavilion_e2e::Broker;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;

/// How long a reply is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where and as whom requests are sent.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    host: String,
    bearer: String,
    tls: TlsConnector,
}

type Connection = SendRequest<Full<Bytes>>;

/// What came of a run.
pub struct Outcome {
    /// Answers with status 201.
    pub answered: u64,
    /// Everything else, time-outs included.
    pub failed: u64,
    /// From the first request's due time to the last reply.
    pub elapsed: Duration,
    /// From each answered request's due time to its reply, in microseconds.
    pub latency: Histogram<u64>,
}

impl Target {
    /// The edge of a broker, as one tenant's relying party.
    pub fn new(broker: &Broker, tenant: &str, bearer: &str) -> anyhow::Result<Self> {
        let authority = std::fs::read(broker.authority(tenant))?;
        let host = format!("verify.{tenant}.localhost");
        Self::at(broker.address(), &host, &authority, bearer)
    }

    /// An edge, as a relying party of the tenant at `host`; `authority` is PEM.
    pub fn at(
        address: SocketAddr,
        host: &str,
        authority: &[u8],
        bearer: &str,
    ) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority) {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            address,
            host: host.to_owned(),
            bearer: format!("Bearer {bearer}"),
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream = self
            .tls
            .connect(ServerName::try_from(self.host.clone())?, stream)
            .await?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn ask(&self, connection: &mut Connection, body: Bytes) -> anyhow::Result<StatusCode> {
        let request = Request::post("/v1/verifications")
            .header("host", format!("{}:{}", self.host, self.address.port()))
            .header("authorization", &self.bearer)
            .header("content-type", "application/json")
            .body(Full::new(body))?;
        connection.ready().await?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        Ok(status)
    }

    /// Sends the bodies evenly at `rate` per second over `connections` connections.
    pub async fn run(
        &self,
        bodies: Vec<Bytes>,
        rate: f64,
        connections: usize,
    ) -> anyhow::Result<Outcome> {
        let mut pool = Vec::new();
        for _ in 0..connections {
            pool.push(self.connect().await?);
        }
        let queue = Arc::new(bodies);
        let next = Arc::new(AtomicU64::new(0));
        let tally = Arc::new(Mutex::new((
            0_u64,
            0_u64,
            Histogram::new_with_max(120_000_000, 3)?,
        )));
        let start = Instant::now();
        let workers = pool.into_iter().map(|connection| {
            let worker = Worker {
                target: self.clone(),
                queue: queue.clone(),
                next: next.clone(),
                rate,
                start,
            };
            tokio::spawn(worker.run(connection, tally.clone()))
        });
        for worker in workers.collect::<Vec<_>>() {
            worker.await??;
        }
        let elapsed = start.elapsed();
        let tally = Arc::try_unwrap(tally)
            .ok()
            .context("all workers are done")?
            .into_inner();
        Ok(Outcome {
            answered: tally.0,
            failed: tally.1,
            elapsed,
            latency: tally.2,
        })
    }
}

struct Worker {
    target: Target,
    queue: Arc<Vec<Bytes>>,
    next: Arc<AtomicU64>,
    rate: f64,
    start: Instant,
}

impl Worker {
    async fn run(
        self,
        mut connection: Connection,
        tally: Arc<Mutex<(u64, u64, Histogram<u64>)>>,
    ) -> anyhow::Result<()> {
        let (mut answered, mut failed) = (0, 0);
        let mut latency = Histogram::new_with_max(120_000_000, 3)?;
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(body) = usize::try_from(index)
                .ok()
                .and_then(|index| self.queue.get(index))
            else {
                break;
            };
            let due = self.start + self.due(index);
            tokio::time::sleep_until(due.into()).await;
            let asked = self.target.ask(&mut connection, body.clone());
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(StatusCode::CREATED)) => {
                    answered += 1;
                    let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
                    latency.saturating_record(micros);
                }
                Ok(Ok(_)) => failed += 1,
                Ok(Err(_)) | Err(_) => {
                    failed += 1;
                    connection = self.target.connect().await?;
                }
            }
        }
        let mut tally = tally.lock().await;
        tally.0 += answered;
        tally.1 += failed;
        tally.2.add(latency)?;
        Ok(())
    }

    #[allow(clippy::cast_precision_loss)]
    fn due(&self, index: u64) -> Duration {
        if self.rate.is_finite() {
            Duration::from_secs_f64(index as f64 / self.rate)
        } else {
            Duration::ZERO
        }
    }
}
