//! Everything that a person reads of us, kept beside the tests in `kept/`, so that a change of
//! words is seen in its change, and all of them can be read in one sitting.
//!
//! After a change on purpose: `INSTA_UPDATE=always cargo nextest run --test promises words`, then
//! read what `git diff tests/words/kept` shows.

mod catalogue;
mod daily;
mod help;
mod linking;
mod transcript;
mod trouble;
