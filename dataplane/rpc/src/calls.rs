//! Calls in flight, so that a server can end without waiting for connections on which nothing happens.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::sync::watch;
use tokio::time::sleep;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

/// Counts calls. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    open: watch::Sender<usize>,
}

/// One call; it ends when this is dropped.
struct Call(Calls);

impl Calls {
    fn begin(&self) -> Call {
        self.open.send_modify(|open| *open += 1);
        Call(self.clone())
    }

    /// Completes once no call has been in flight for `quiet`.
    pub(crate) async fn none_for(&self, quiet: Duration) {
        let mut changes = self.open.subscribe();
        loop {
            // The sender is in `self`, so waiting cannot fail.
            let _ = changes.wait_for(|open| *open == 0).await;
            tokio::select! {
                () = sleep(quiet) => return,
                _ = changes.changed() => {}
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.open.send_modify(|open| *open -= 1);
    }
}

/// A service whose calls are counted, each until the last of its answer is handed over.
#[derive(Clone, Debug)]
pub(crate) struct Counted<S> {
    service: S,
    calls: Calls,
}

impl<S> Counted<S> {
    pub(crate) fn new(service: S, calls: Calls) -> Self {
        Self { service, calls }
    }
}

impl<S: NamedService> NamedService for Counted<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let call = self.calls.begin();
        let answer = self.service.call(request);
        Box::pin(async move {
            let counted = |body: Body| {
                Body::new(body.map_frame(move |frame| {
                    // The body holds the call as long as it lives.
                    let _ = &call;
                    frame
                }))
            };
            Ok(answer.await?.map(counted))
        })
    }
}
