//! Tokens in files that only this user can read, one per login; encrypted where the person wants.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::encryption::{Encryption, RECORD};
use super::{Prompt, Store, StoreError};
use crate::daemon::files;
use crate::endpoint::make_private;

/// The files of one directory.
pub(super) struct Files {
    directory: PathBuf,
    encryption: Arc<Encryption>,
}

impl Files {
    pub(super) fn new(directory: &Path, encryption: Arc<Encryption>) -> Self {
        Self { directory: directory.into(), encryption }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.{RECORD}"))
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.display().to_string();
    move |why| StoreError::Unavailable(format!("{path}: {why}"))
}

impl Store for Files {
    fn load(&mut self, id: &str, _prompt: Prompt) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let path = self.path(id);
        // A second time, if another daemon has just decrypted it and removed the key, or has another.
        for is_last in [false, true] {
            let Some(bytes) = files::read(&path).map_err(failed(&path))? else { return Ok(None) };
            match self.encryption.open(id, Zeroizing::new(bytes)) {
                Ok(Some(record)) => return Ok(Some(record)),
                Ok(None) => {}
                Err(StoreError::Corrupt) if !is_last => {}
                Err(why) => return Err(why),
            }
        }
        Err(StoreError::KeyGone)
    }

    fn save(&mut self, id: &str, bytes: &[u8], _prompt: Prompt) -> Result<(), StoreError> {
        let path = self.path(id);
        let (sealed, with) = self.encryption.seal(id, bytes)?;
        make_private(&self.directory).and_then(|()| files::write(&path, &sealed)).map_err(failed(&path))?;
        match with {
            // Its key has gone meanwhile: once more, and as it is to be written now.
            Some(with) if !self.encryption.can_open(&with) => {
                let (bytes, _) = self.encryption.seal(id, bytes)?;
                files::write(&path, &bytes).map_err(failed(&path))
            }
            _ => Ok(()),
        }
    }

    fn delete(&mut self, id: &str, _prompt: Prompt) -> Result<(), StoreError> {
        let path = self.path(id);
        files::remove(&path).map_err(failed(&path))
    }
}
