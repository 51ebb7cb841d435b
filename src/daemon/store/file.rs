//! Tokens in files that only this user can read, one per account.

use std::io;
use std::path::{Path, PathBuf};

use super::{Prompt, Store, StoreError};
use crate::daemon::files;
use crate::endpoint::make_private;

/// The files of one directory.
pub(super) struct Files {
    directory: PathBuf,
}

impl Files {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.into() }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.tokens"))
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.display().to_string();
    move |why| StoreError::Unavailable(format!("{path}: {why}"))
}

impl Store for Files {
    fn load(&mut self, id: &str, _prompt: Prompt) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(id);
        files::read(&path).map_err(failed(&path))
    }

    fn save(&mut self, id: &str, bytes: &[u8], _prompt: Prompt) -> Result<(), StoreError> {
        let path = self.path(id);
        make_private(&self.directory).and_then(|()| files::write(&path, bytes)).map_err(failed(&path))
    }

    fn delete(&mut self, id: &str, _prompt: Prompt) -> Result<(), StoreError> {
        let path = self.path(id);
        files::remove(&path).map_err(failed(&path))
    }
}
