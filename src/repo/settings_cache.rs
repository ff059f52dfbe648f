//! Remembers the settings of a repository while it is open.

use std::sync::{Arc, Mutex, PoisonError};

use super::error::RepoError;

/// A cache of all settings and their values, in git's order.
///
/// Every command asks for several settings, and starting git costs more than everything else that
/// most commands do. The cache notices changes by this program. It does not notice changes by
/// others while the repository is open.
#[derive(Debug, Clone, Default)]
pub(super) struct SettingsCache(Arc<Mutex<Option<Arc<Listing>>>>);

pub(super) type Listing = Vec<(String, Vec<u8>)>;

impl SettingsCache {
    pub fn get_or_read(
        &self,
        read: impl FnOnce() -> Result<Listing, RepoError>,
    ) -> Result<Arc<Listing>, RepoError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listing) = &*known {
            return Ok(Arc::clone(listing));
        }
        let listing = Arc::new(read()?);
        *known = Some(Arc::clone(&listing));
        Ok(listing)
    }

    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
