//! The stream itself: whole states to each router that follows, at its own pace.

use std::{
    collections::{HashSet, VecDeque},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures::stream;
use pavilion_json::Digest;
use pavilion_rpc::routes::{
    Files, FollowRequest, MAX_FILES, PART_BYTES, Part, State, part::Part as Kind,
    routes_server::Routes,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tonic::{Request, Response, Status};

use super::{
    metrics::{RouteMetrics, Stream},
    snapshot::{Published, Sealed, Snapshot},
};

/// How often the last state is repeated while nothing changes; routers wait 10 s for a word.
const REPEAT: Duration = Duration::from_secs(3);

/// How long a stream lasts. The router comes again, to whichever replica, and proves itself anew.
const AGE: Duration = Duration::from_hours(1);

/// What answers routers.
#[derive(Clone, Debug)]
pub struct Service {
    /// What there is to tell.
    pub published: watch::Receiver<Published>,
    /// What is counted.
    pub metrics: RouteMetrics,
}

#[tonic::async_trait]
impl Routes for Service {
    type FollowStream = Pin<Box<dyn futures::Stream<Item = Result<Part, Status>> + Send>>;

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let known = request.into_inner();
        if known.files.len() > MAX_FILES {
            return Err(Status::invalid_argument(
                "more files than a router can have",
            ));
        }
        if self.published.borrow().is_none() {
            return Err(Status::unavailable("not all routes are known yet"));
        }
        let mut published = self.published.clone();
        published.mark_changed();
        let following = Following {
            published,
            files: known.files.iter().filter_map(digest).collect(),
            table: digest(&known.table),
            parts: VecDeque::new(),
            ends: Instant::now() + AGE,
            metrics: self.metrics.clone(),
            _counted: self.metrics.stream(),
        };
        let parts = stream::unfold(following, |mut following| async move {
            let part = following.next().await?;
            Some((Ok(part), following))
        });
        Ok(Response::new(Box::pin(parts)))
    }
}

/// One router that follows.
struct Following {
    published: watch::Receiver<Published>,
    /// The files it has, as far as is known.
    files: HashSet<Digest>,
    /// The table it has or was told last.
    table: Option<Digest>,
    /// What is still to be said of a state; shared content, not copies of it.
    parts: VecDeque<Part>,
    ends: Instant,
    metrics: RouteMetrics,
    _counted: Stream,
}

impl Following {
    async fn next(&mut self) -> Option<Part> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                return Some(part);
            }
            tokio::select! {
                changed = self.published.changed() => {
                    changed.ok()?;
                    self.metrics.told();
                }
                () = sleep(REPEAT) => {}
                () = sleep_until(self.ends) => return None,
            }
            let snapshot = self.published.borrow_and_update().clone();
            if let Some(snapshot) = snapshot {
                self.say(&snapshot);
            }
        }
    }

    /// What makes this state of what the router has.
    fn say(&mut self, snapshot: &Arc<Snapshot>) {
        let table = &snapshot.table;
        self.say_files(table);
        if self.table != Some(table.digest) {
            let mut rest = table.bytes.clone();
            while !rest.is_empty() {
                let piece = rest.split_to(rest.len().min(PART_BYTES));
                self.parts.push_back(part(Kind::Table(piece)));
            }
            self.table = Some(table.digest);
        }
        self.parts.push_back(part(Kind::State(State {
            table: Bytes::copy_from_slice(table.digest.as_bytes()),
            seen: Some(snapshot.position.into()),
        })));
    }

    fn say_files(&mut self, table: &Sealed) {
        let mut files = Files::default();
        let mut size = 0;
        for (digest, content) in &table.files {
            if self.files.contains(digest) {
                continue;
            }
            if size + content.len() > PART_BYTES {
                let full = std::mem::take(&mut files);
                self.parts.push_back(part(Kind::Files(full)));
                size = 0;
            }
            size += content.len();
            files.contents.push(content.clone());
        }
        if !files.contents.is_empty() {
            self.parts.push_back(part(Kind::Files(files)));
        }
        // The router forgets what no table names any more.
        self.files = table.files.keys().copied().collect();
    }
}

fn part(kind: Kind) -> Part {
    Part { part: Some(kind) }
}

fn digest(name: &Bytes) -> Option<Digest> {
    <[u8; 32]>::try_from(&name[..]).ok().map(Digest::from)
}
