//! What a refusal leaves unread of a request's body is read before the refusal is sent.
//!
//! The edge may still be sending it. A connection that closed under it would look to the edge like a
//! verifier that is away, and the relying party would get that instead of the refusal. But nobody
//! waits long for what nobody wants: whoever sends slowly, without a token even, would have a
//! connection of the edge for each of its requests.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};

use crate::app::App;

/// How long the rest of a body is waited for. The edge hands on what it has at once, so this is time
/// for the client: the largest body that is read here comes whole at 128 KiB/s, and a usual one, of
/// some KiB, over any line. Whoever is slower may hear from the edge that the tenant is away.
const TIME_OUT: Duration = Duration::from_secs(2);

/// Answers once the body has come whole, or is longer than any that this verifier reads.
pub(crate) async fn read(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(head, body)).await;
    }
    let body = Shared(Arc::new(Mutex::new(body)));
    let request = Request::from_parts(head, Body::new(body.clone()));
    let response = next.run(request).await;
    let mut rest = Limited::new(body, app.max_body_bytes);
    let read = async { while let Some(Ok(_)) = rest.frame().await {} };
    // A rest that is too long or too slow is left where it is.
    let _ = tokio::time::timeout(TIME_OUT, read).await;
    response
}

/// A body that outlives the one who was to read it.
#[derive(Clone)]
struct Shared(Arc<Mutex<Body>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Body> {
        // Whoever panicked holds no body that is half read: a frame is taken whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.lock()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().size_hint()
    }
}
