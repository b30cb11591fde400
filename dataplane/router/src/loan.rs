//! A request body on loan to a connection that may not come about.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;

use crate::body::RequestBody;

/// The body, until it is dropped. Who lent it gets it back if nothing was read of it.
pub(crate) struct Loan {
    /// Only ever `None` while it is being dropped.
    body: Option<RequestBody>,
    /// Gone once something was read.
    back: Option<oneshot::Sender<RequestBody>>,
}

impl Loan {
    /// Lends `body`; the other half is where it comes back.
    pub(crate) fn of(body: RequestBody) -> (Self, oneshot::Receiver<RequestBody>) {
        let (back, returned) = oneshot::channel();
        let loan = Self {
            body: Some(body),
            back: Some(back),
        };
        (loan, returned)
    }
}

impl Body for Loan {
    type Data = Bytes;
    type Error = <RequestBody as Body>::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let loan = self.get_mut();
        loan.back = None;
        match &mut loan.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            // Nobody waits for it: then it ends here.
            drop(back.send(body));
        }
    }
}
