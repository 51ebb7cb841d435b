//! Tokens that end with the daemon, for machines where nothing may be written down.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::{Prompt, Store, StoreError};

/// Bytes by name.
#[derive(Default)]
pub(super) struct Memory(HashMap<String, Zeroizing<Vec<u8>>>);

impl Store for Memory {
    fn load(&mut self, id: &str, _prompt: Prompt) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        Ok(self.0.get(id).cloned())
    }

    fn save(&mut self, id: &str, bytes: &[u8], _prompt: Prompt) -> Result<(), StoreError> {
        self.0.insert(id.into(), bytes.to_vec().into());
        Ok(())
    }

    fn delete(&mut self, id: &str, _prompt: Prompt) -> Result<(), StoreError> {
        self.0.remove(id);
        Ok(())
    }
}
