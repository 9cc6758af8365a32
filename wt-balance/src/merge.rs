use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use crate::backend::Backend;

/// What becomes of each key: another service, for one that is new or changed, or none.
pub(crate) type Changed<K, S> = HashMap<Arc<K>, Option<Arc<Backend<K, S>>>>;

/// Those that are known after these changes, in the order of arrival.
pub(crate) fn merge<K, S>(
    known: &[Arc<Backend<K, S>>],
    changed: &Changed<K, S>,
) -> Vec<Arc<Backend<K, S>>>
where
    K: Eq + Hash,
    S: Clone,
{
    let mut after = Vec::with_capacity(known.len() + changed.len());
    let mut seen = HashSet::new();
    for backend in known {
        let Some((key, change)) = changed.get_key_value(&*backend.key) else {
            after.push(Arc::clone(backend));
            continue;
        };
        seen.insert(key);
        if let Some(new) = change {
            tracing::debug!(backend = &*backend.stats.name, "backend changed");
            after.push(Arc::new(backend.with_service(new.service())));
        }
    }
    for (key, new) in changed {
        if let Some(new) = new.as_ref().filter(|_| !seen.contains(key)) {
            tracing::debug!(backend = &*new.stats.name, "backend added");
            after.push(Arc::clone(new));
        }
    }
    after.sort_by_key(|backend| backend.stats.id);
    after
}
