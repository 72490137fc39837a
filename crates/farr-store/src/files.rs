//! The names of objects where the store cannot list them.

use std::sync::{Arc, OnceLock};

use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};

use crate::location::{below, object_path};

/// Names that the location's options give, or an object of the place.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// The whole place, where the names begin.
    store: Arc<dyn ObjectStore>,
    /// Where this location begins.
    prefix: String,
    from: Option<String>,
    names: Arc<OnceLock<Vec<String>>>,
}

/// Objects asked for at once.
const HEADS_AT_ONCE: usize = 8;

impl Files {
    /// `named` has commas between the names; `from` is the name of an object
    /// with one a line.
    pub(crate) fn new(
        store: &Arc<dyn ObjectStore>,
        named: Option<&str>,
        from: Option<String>,
    ) -> Self {
        let names = OnceLock::new();
        if from.is_none() {
            names.get_or_init(|| in_order(named.unwrap_or_default().split(',')));
        }
        Self { store: Arc::clone(store), prefix: String::new(), from, names: Arc::new(names) }
    }

    pub(crate) fn below(&self, prefix: &str) -> Self {
        let prefix = format!("{}/{}", self.prefix, prefix.trim_matches('/'));
        Self { prefix: prefix.trim_matches('/').to_owned(), ..self.clone() }
    }

    /// What the store says of the named objects below `prefix`, by path;
    /// `None` if no object is named at all.
    pub(crate) async fn list(
        &self,
        prefix: &str,
    ) -> object_store::Result<Option<Vec<(String, ObjectMeta)>>> {
        if let (None, Some(from)) = (self.names.get(), &self.from) {
            let text = self.store.get(&object_path(from)).await?.bytes().await?;
            let text = String::from_utf8_lossy(&text);
            let lines = text.trim_start_matches('\u{feff}').lines();
            let names = in_order(lines.filter(|line| !line.starts_with('#')));
            self.names.get_or_init(|| names);
        }
        let Some(names) = self.names.get().filter(|names| !names.is_empty()) else {
            return Ok(None);
        };
        let here = names.iter().filter_map(|name| below(name, &self.prefix));
        let named = here.filter(|name| below(name, prefix).is_some()).map(str::to_owned);
        let named: Vec<String> = named.collect();
        let heads = futures::stream::iter(named).map(|name| async move {
            let whole = format!("{}/{name}", self.prefix);
            let meta = self.store.head(&object_path(whole.trim_matches('/'))).await?;
            Ok((name, meta))
        });
        heads.buffered(HEADS_AT_ONCE).try_collect().await.map(Some)
    }
}

fn in_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let names = names.map(|name| name.trim().trim_matches('/').to_owned());
    let mut names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
    names.sort();
    names.dedup();
    names
}
