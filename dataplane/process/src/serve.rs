//! HTTP to whoever comes in: so many connections and no more, and an end that loses no request.

use std::error::Error;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::sync::Semaphore;

use crate::entrance::Entrance;

/// Serves at most `connections` at once, further ones wait; when `stop` completes, takes no more
/// and finishes the requests in flight.
pub async fn serve<S, B>(
    mut entrance: Entrance,
    server: &Builder<TokioExecutor>,
    service: S,
    connections: usize,
    stop: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let slots = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, entrance.accept().await)
        };
        let (slot, stream) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let connection = server
            .serve_connection(TokioIo::new(stream), service.clone())
            .into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(error, "a connection ended early");
            }
            drop(slot);
        });
    }
    drop(entrance);
    graceful.shutdown().await;
}
