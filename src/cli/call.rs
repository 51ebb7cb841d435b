//! Asking the daemon for something that takes several blocks to answer.

use std::io;
use std::time::Duration;

use super::error::Error;
use crate::client::{self, CallError, Conversation, Heard, Start};
use crate::credential::Attributes;
use crate::protocol::{Failure, key};

/// How long the daemon may take for what it knows by itself, its own start included.
pub(super) const SOON: Duration = Duration::from_secs(15);

/// How long it may take for what it must ask servers about.
pub(super) const AFTER_ASKING_SERVERS: Duration = Duration::from_secs(90);

/// How long the next part of a long list may take: half a dozen requests to a server that is slow,
/// or that wants to be left alone for a minute. Whoever waits can press Ctrl-C.
pub(super) const A_PART: Duration = Duration::from_secs(300);

/// A reply, read block by block.
pub(super) struct Reply {
    conversation: Conversation,
    first: Option<Attributes>,
    ended: bool,
}

impl Reply {
    /// Sends a request and waits for the first block of its reply.
    pub(super) fn to(request: &Attributes, start: Start, within: Duration) -> Result<Self, Error> {
        let (conversation, first) = client::begin(request, start, within)?;
        Ok(Self { conversation, first: Some(first), ended: false })
    }

    /// The next block; `None` after the last one.
    pub(super) fn block(&mut self) -> Result<Option<Attributes>, Error> {
        if self.ended {
            return Ok(None);
        }
        let block = match self.first.take() {
            Some(first) => first,
            None => self.conversation.next()?.ok_or_else(cut_short)?,
        };
        self.ended = block.flag(key::DONE);
        Ok(Some(block))
    }

    /// The next block, if it comes within a while.
    pub(super) fn block_within(&mut self, within: Duration) -> Result<Option<Attributes>, Error> {
        let block = match self.first.take() {
            Some(first) => first,
            None => match self.conversation.next_within(within)? {
                Heard::Block(block) => block,
                Heard::End => return Err(cut_short().into()),
                Heard::Nothing => return Ok(None),
            },
        };
        self.ended = block.flag(key::DONE);
        Ok(Some(block))
    }

    /// The next block, if it tells of no failure; `None` after the last one.
    pub(super) fn good_block(&mut self) -> Result<Option<Attributes>, Error> {
        let block = self.block()?;
        match block.as_ref().and_then(Failure::in_block) {
            Some(failure) => Err(failure.into()),
            None => Ok(block),
        }
    }

    /// The same, of a long list: every part has the whole time.
    pub(super) fn next_part(&mut self) -> Result<Option<Attributes>, Error> {
        self.conversation.wait_anew();
        self.good_block()
    }

    /// Waits until the daemon closes the connection.
    pub(super) fn wait_for_end(mut self) -> Result<(), CallError> {
        loop {
            match self.conversation.next() {
                Ok(Some(_)) => {}
                Ok(None) | Err(CallError::Broken(_)) => return Ok(()),
                Err(why) => return Err(why),
            }
        }
    }
}

/// The reply ended before the block that says it is the last.
fn cut_short() -> CallError {
    CallError::Broken(io::ErrorKind::UnexpectedEof.into())
}

/// An attribute as text; names and reasons that are no UTF-8 are shown as well as they can be.
pub(super) fn text(block: &Attributes, key: &str) -> String {
    String::from_utf8_lossy(block.get(key).unwrap_or_default()).into_owned()
}

/// An attribute that must be there.
pub(super) fn needed(block: &Attributes, key: &'static str) -> Result<String, Error> {
    match block.get(key) {
        Some(value) if !value.is_empty() => Ok(String::from_utf8_lossy(value).into_owned()),
        _ => Err(Error::Incomplete(key)),
    }
}

/// A number, if there is one.
pub(super) fn number<N: std::str::FromStr>(block: &Attributes, key: &str) -> Option<N> {
    block.text(key).and_then(|value| value.parse().ok())
}
