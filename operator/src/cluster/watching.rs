//! One watch, followed for good.

use std::{collections::HashSet, fmt::Debug};

use futures::StreamExt;
use kube::{
    Api, Resource, ResourceExt,
    core::{DynamicObject, ObjectMeta},
    runtime::{WatchStreamExt, watcher, watcher::Event},
};
use serde::de::DeserializeOwned;

/// Namespace and name of an object.
pub type Place = (Option<String>, String);

/// What a watch tells.
#[derive(Debug)]
pub enum News<K = DynamicObject> {
    /// An object is there, new or changed.
    Seen(K),
    /// An object is gone.
    Gone(K),
    /// A whole list has been told, the first or one after a gap: there is nothing else.
    Listed(HashSet<Place>),
}

/// Tells everything about the objects of one kind that `config` selects. After an error the watch
/// begins again with a new list.
pub async fn follow<K>(
    api: Api<K>,
    config: watcher::Config,
    kind: &'static str,
    mut tell: impl FnMut(News<K>),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    let mut listed = HashSet::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => {
                listed.insert(place(&object));
                tell(News::Seen(object));
            }
            Ok(Event::InitDone) => tell(News::Listed(std::mem::take(&mut listed))),
            Ok(Event::Apply(object)) => tell(News::Seen(object)),
            Ok(Event::Delete(object)) => tell(News::Gone(object)),
            Err(error) => {
                tracing::warn!(kind, %error, "a watch is broken and begun again");
            }
        }
    }
}

/// Where an object is.
pub fn place(object: &impl Resource) -> Place {
    (object.namespace(), object.name_any())
}

/// The version of the object that this is the metadata of, zero for one without. Those of one kind are ordered (Kubernetes 1.35, KEP-5504).
pub fn version(metadata: &ObjectMeta) -> u64 {
    let version = metadata.resource_version.as_ref();
    version.and_then(|text| text.parse().ok()).unwrap_or(0)
}
