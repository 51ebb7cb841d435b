//! A record as it lies in an encrypted directory: a mark, the format's version, the nonce, and the
//! ciphertext. The entry's name is sealed in (the account, and which of its logins), so a file
//! that is put in another one's place does not open.

use zeroize::Zeroizing;

use super::super::StoreError;
use super::key::Key;

/// No record that is not encrypted begins so: that would be no JSON.
const MARK: &[u8] = b"git-credential-gitlab sealed\n";

/// The format this version writes. A higher one is left alone.
const VERSION: u8 = 1;

/// Whether these bytes are a sealed record, of whatever version.
pub(super) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MARK)
}

/// Seals the record of an entry.
pub(super) fn seal(key: &Key, entry: &str, record: &[u8]) -> Result<Vec<u8>, getrandom::Error> {
    Ok([MARK, &[VERSION], &key.seal(&context(entry), record)?].concat())
}

/// The record of an entry.
pub(super) fn open(key: &Key, entry: &str, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    match bytes.strip_prefix(MARK).and_then(<[u8]>::split_first) {
        Some((&VERSION, sealed)) => key.open(&context(entry), sealed).ok_or(StoreError::Corrupt),
        Some((newer, _)) if *newer > VERSION => Err(StoreError::Newer),
        _ => Err(StoreError::Corrupt),
    }
}

fn context(entry: &str) -> Vec<u8> {
    [MARK, &[VERSION], entry.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &[u8] = br#"{"version":1,"access_token":"a"}"#;

    fn key() -> Key {
        Key::random().expect("random numbers")
    }

    #[test]
    fn a_sealed_record_opens_in_its_own_place_with_its_own_key_alone() {
        let key = key();
        let sealed = seal(&key, "gitlab~7", RECORD).expect("sealed");
        assert!(is_sealed(&sealed) && !is_sealed(RECORD));
        assert_eq!(open(&key, "gitlab~7", &sealed).expect("opened").as_slice(), RECORD);
        for (key, entry) in [(&key, "gitlab~8"), (&key, "gitlab~7~second"), (&key, ""), (&self::key(), "gitlab~7")] {
            assert_eq!(open(key, entry, &sealed), Err(StoreError::Corrupt), "{entry}");
        }
        assert_ne!(seal(&key, "gitlab~7", RECORD).expect("sealed"), sealed, "a nonce is never used again");
    }

    #[test]
    fn no_bit_can_be_flipped_and_no_byte_be_missing() {
        let key = key();
        let sealed = seal(&key, "gitlab~7", RECORD).expect("sealed");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key, "gitlab~7", &changed).is_err(), "bit {bit}");
        }
        for end in 0..sealed.len() {
            assert!(open(&key, "gitlab~7", &sealed[..end]).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn what_a_newer_version_sealed_is_told_apart() {
        let key = key();
        let mut sealed = seal(&key, "a", RECORD).expect("sealed");
        sealed[MARK.len()] = VERSION + 1;
        assert_eq!(open(&key, "a", &sealed), Err(StoreError::Newer));
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_sealed_comes_back(record: Vec<u8>, entry: String) {
            let key = key();
            let sealed = seal(&key, &entry, &record).expect("sealed");
            proptest::prop_assert_eq!(open(&key, &entry, &sealed).expect("opened").to_vec(), record);
        }

        #[test]
        fn any_bytes_are_read_without_panic_and_never_open(bytes: Vec<u8>) {
            for bytes in [bytes.clone(), [MARK, &[VERSION], &bytes].concat()] {
                proptest::prop_assert!(open(&key(), "a", &bytes).is_err());
            }
        }
    }
}
