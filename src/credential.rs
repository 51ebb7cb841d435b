//! git's attribute format: `key=value` lines, as in gitcredentials(7) and git-credential(1).
//!
//! This is the only file that knows about `=` and newline. It reads bytes from anyone who can
//! make git run, so it refuses everything that a line format can be tricked with: a repeated key
//! (CVE-2020-5260), a carriage return inside a value (CVE-2024-52006), a NUL, and it never grows
//! beyond its limits.

use std::fmt;
use std::io::{self, Read, Write};

/// The longest line git-credential(1) allows, in bytes, without the newline.
pub const MAX_LINE: usize = 65_535;

/// The most plain keys a message may have. git knows fifteen, and each is compared with all
/// before it.
const MAX_KEYS: usize = 256;

/// Why a message was refused. None of the variants carries bytes of the message: they go to
/// terminals, and the message may hold a secret or an escape sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A line that is not `key=value`.
    NoEquals,
    /// A line that begins with `=`.
    EmptyKey,
    /// NUL, or a carriage return that does not end its line.
    ControlCharacter,
    /// A plain key given twice: one of the two is an attack.
    RepeatedKey,
    /// More bytes than this reader takes.
    TooLarge,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::NoEquals => "a line without \"=\"",
            Malformed::EmptyKey => "a line without a key",
            Malformed::ControlCharacter => "a control character inside a line",
            Malformed::RepeatedKey => "a key that is given twice",
            Malformed::TooLarge => "too many bytes",
        })
    }
}

impl std::error::Error for Malformed {}

/// Why reading a message failed.
#[derive(Debug)]
pub enum ReadError {
    /// The bytes came, but they are not a message.
    Malformed(Malformed),
    /// The bytes did not come.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Malformed(why) => write!(f, "{why}"),
            ReadError::Io(why) => write!(f, "{why}"),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<Malformed> for ReadError {
    fn from(why: Malformed) -> Self {
        ReadError::Malformed(why)
    }
}

/// The attributes of one message, in order. Values are bytes: git does not promise UTF-8.
///
/// `Debug` prints keys alone, because any value may be a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    entries: Vec<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.entries.iter().map(|(key, _)| String::from_utf8_lossy(key));
        f.debug_list().entries(keys).finish()
    }
}

impl Attributes {
    /// No attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a plain key.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.entries.iter().find(|(k, _)| k == key.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// The value of a plain key, if it is UTF-8.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(|value| str::from_utf8(value).ok())
    }

    /// Whether a plain key has the value `1`.
    pub fn flag(&self, key: &str) -> bool {
        self.get(key) == Some(b"1")
    }

    /// The values of a list key (`capability[]`). An empty value empties the list so far.
    pub fn list(&self, key: &str) -> Vec<&[u8]> {
        let mut values = Vec::new();
        for (_, value) in self.entries.iter().filter(|(k, _)| k == key.as_bytes()) {
            match value.is_empty() {
                true => values.clear(),
                false => values.push(value.as_slice()),
            }
        }
        values
    }

    /// Every key with its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// Adds one attribute. A line feed or a NUL would forge the lines that follow, so a value
    /// that has one is cut before it: the reader sees a shorter value, never another key.
    pub fn push(&mut self, key: &str, value: impl AsRef<[u8]>) {
        debug_assert!(!key.is_empty() && !key.bytes().any(|b| matches!(b, b'=' | b'\n' | 0)));
        let value = value.as_ref();
        let end = value.iter().position(|b| matches!(b, b'\n' | b'\r' | 0)).unwrap_or(value.len());
        self.entries.push((key.as_bytes().to_vec(), value[..end].to_vec()));
    }

    /// [`push`](Self::push), for building in one expression.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.push(key, value);
        self
    }

    /// The attributes as lines, without the empty line that ends a message.
    pub fn to_bytes(&self) -> Vec<u8> {
        let size = self.entries.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
        let mut lines = Vec::with_capacity(size);
        for (key, value) in &self.entries {
            lines.extend_from_slice(key);
            lines.push(b'=');
            lines.extend_from_slice(value);
            lines.push(b'\n');
        }
        lines
    }

    /// Writes the lines in one call, without the empty line that ends a message.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        to.write_all(&self.to_bytes())
    }

    /// Reads one message: up to an empty line or the end of the input, whichever comes first.
    /// Bytes after the empty line may be read and are dropped, as git does.
    pub fn read(mut from: impl Read, limit: usize) -> Result<Self, ReadError> {
        let mut parser = Parser::new(limit);
        let mut buffer = [0; 4096];
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) => return Ok(parser.finish()?),
                Ok(count) => count,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                Err(why) => return Err(ReadError::Io(why)),
            };
            if let Some(consumed) = parser.feed(&buffer[..count])? {
                debug_assert!(consumed <= count);
                return Ok(parser.take());
            }
        }
    }
}

/// Reads messages from chunks of bytes, as they come. One parser reads any number of messages,
/// one after the other; the limit counts for each.
#[derive(Debug)]
pub struct Parser {
    attributes: Attributes,
    line: Vec<u8>,
    /// The current line is longer than [`MAX_LINE`]: it is dropped as a whole, never split.
    overlong: bool,
    seen: usize,
    plain_keys: usize,
    limit: usize,
}

impl Parser {
    /// A parser for messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { attributes: Attributes::new(), line: Vec::new(), overlong: false, seen: 0, plain_keys: 0, limit }
    }

    /// Takes the next bytes. `Some(n)`: an empty line ended the message after `n` of them; call
    /// [`take`](Self::take), then feed the rest.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let newline = rest.iter().position(|&b| b == b'\n');
            let part = &rest[..newline.unwrap_or(rest.len())];
            self.seen = self.seen.saturating_add(part.len() + 1);
            if self.seen > self.limit {
                return Err(Malformed::TooLarge);
            }
            // One byte of grace: the carriage return of a line end is not part of the line.
            self.overlong |= self.line.len() + part.len() > MAX_LINE + 1;
            if !self.overlong {
                self.line.extend_from_slice(part);
            }
            at += part.len();
            if newline.is_some() {
                at += 1;
                if self.end_line()? {
                    return Ok(Some(at));
                }
            }
        }
        Ok(None)
    }

    /// Ends the input: the last line needs no newline.
    pub fn finish(mut self) -> Result<Attributes, Malformed> {
        if self.overlong || !self.line.is_empty() {
            self.end_line()?;
        }
        Ok(self.attributes)
    }

    /// Whether nothing of a message has come yet.
    pub fn is_fresh(&self) -> bool {
        self.seen == 0
    }

    /// The message that [`feed`](Self::feed) found, and a fresh start.
    pub fn take(&mut self) -> Attributes {
        (self.seen, self.plain_keys) = (0, 0);
        std::mem::take(&mut self.attributes)
    }

    /// Handles the collected line; true if it was the empty line that ends a message.
    fn end_line(&mut self) -> Result<bool, Malformed> {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.overlong) {
            return Ok(false);
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.is_empty() {
            return Ok(true);
        }
        if line.iter().any(|b| matches!(b, 0 | b'\r')) {
            return Err(Malformed::ControlCharacter);
        }
        let equals = line.iter().position(|&b| b == b'=').ok_or(Malformed::NoEquals)?;
        if equals == 0 {
            return Err(Malformed::EmptyKey);
        }
        let value = line.split_off(equals + 1);
        line.truncate(equals);
        if !line.ends_with(b"[]") {
            self.plain_keys += 1;
            if self.plain_keys > MAX_KEYS {
                return Err(Malformed::TooLarge);
            }
            if self.attributes.entries.iter().any(|(key, _)| *key == line) {
                return Err(Malformed::RepeatedKey);
            }
        }
        self.attributes.entries.push((line, value));
        Ok(false)
    }
}

/// Text that is safe to print on a terminal: one line, no control characters, at most `max`
/// characters. For everything that came from git, from a server or from a file.
pub fn printable(text: &str, max: usize) -> String {
    let clean = |c: char| if c.is_control() || is_unseen(c) { '\u{fffd}' } else { c };
    let mut line: String = text.trim().chars().take(max).map(clean).collect();
    if text.trim().chars().count() > max {
        line.push('…');
    }
    line
}

/// Marks that make a terminal show text in another order than it is written, or that can't be seen
/// at all, so that two names look the same. Those that join letters are part of some scripts.
fn is_unseen(c: char) -> bool {
    let turns = matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || matches!(c, '\u{00ad}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1 << 20;

    fn read(bytes: &[u8]) -> Result<Attributes, Malformed> {
        Attributes::read(bytes, LIMIT).map_err(|why| match why {
            ReadError::Malformed(why) => why,
            ReadError::Io(why) => panic!("{why}"),
        })
    }

    #[test]
    fn a_message_ends_at_a_blank_line_or_at_the_end_of_input() {
        for text in ["host=h\n", "host=h", "host=h\n\n", "host=h\r\n\r\n", "host=h\n\nhost=other\nnonsense"] {
            let message = read(text.as_bytes()).expect(text);
            assert_eq!(message.text("host"), Some("h"), "{text:?}");
            assert_eq!(message.iter().count(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_blank_line_ends_the_message_while_the_input_stays_open() {
        struct Endless(&'static [u8]);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                assert!(!self.0.is_empty(), "read on after the blank line");
                let count = self.0.len().min(buffer.len());
                buffer[..count].copy_from_slice(&self.0[..count]);
                self.0 = &[];
                Ok(count)
            }
        }
        let message = Attributes::read(Endless(b"host=h\n\n"), LIMIT).expect("a message");
        assert_eq!(message.text("host"), Some("h"));
    }

    #[test]
    fn forged_lines_are_refused() {
        for (text, why) in [
            (&b"host=a\nhost=b\n"[..], Malformed::RepeatedKey),
            (b"host=a\nhost=a\n", Malformed::RepeatedKey),
            (b"host=a\rhost=b\n", Malformed::ControlCharacter),
            (b"host=a\0b\n", Malformed::ControlCharacter),
            (b"ho\0st=a\n", Malformed::ControlCharacter),
            (b"nonsense\n", Malformed::NoEquals),
            (b"=x\n", Malformed::EmptyKey),
        ] {
            assert_eq!(read(text), Err(why), "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn an_overlong_line_is_dropped_whole() {
        for hidden_at in [255, 1024, 4096, MAX_LINE, 70_000] {
            let mut text = b"wwwauth[]=".to_vec();
            text.resize(hidden_at, b'x');
            text.extend_from_slice(b"host=evil");
            text.resize(80_000, b'x');
            text.extend_from_slice(b"\nprotocol=https\n");
            let message = read(&text).expect("a message");
            assert_eq!(message.get("host"), None);
            assert_eq!(message.text("protocol"), Some("https"));
            assert_eq!(message.iter().count(), 1);
        }
        let longest = format!("path={}\n", "x".repeat(MAX_LINE - 5));
        assert_eq!(read(longest.as_bytes()).expect("a message").iter().count(), 1);
    }

    #[test]
    fn reading_stops_at_the_limit() {
        let flood = io::repeat(b'x').take(1 << 30);
        assert!(matches!(Attributes::read(flood, LIMIT), Err(ReadError::Malformed(Malformed::TooLarge))));
        let lines = "a[]=b\n".repeat(400_000);
        assert_eq!(read(lines.as_bytes()), Err(Malformed::TooLarge));
    }

    #[test]
    fn a_flood_of_keys_is_refused_at_once() {
        let keys: String = (0..95_000).map(|number| format!("k{number}=v\n")).collect();
        assert_eq!(read(keys.as_bytes()), Err(Malformed::TooLarge));
        let lists = "wwwauth[]=x\n".repeat(20_000) + "host=h\n";
        assert_eq!(read(lists.as_bytes()).expect("a message").text("host"), Some("h"));
    }

    #[test]
    fn an_empty_list_value_empties_the_list() {
        let message = read(b"capability[]=state\ncapability[]=\ncapability[]=authtype\n").expect("a message");
        assert_eq!(message.list("capability[]"), [b"authtype"]);
    }

    #[test]
    fn the_first_equals_sign_splits() {
        assert_eq!(read(b"path=a=b\n").expect("a message").text("path"), Some("a=b"));
    }

    #[test]
    fn a_written_value_cannot_forge_a_line() {
        let message = Attributes::new().with("message", "one\nhost=evil");
        assert_eq!(message.to_bytes(), b"message=one\n");
    }

    #[test]
    fn debug_output_has_no_values() {
        let message = Attributes::new().with("password", "hunter2");
        assert!(!format!("{message:?}").contains("hunter2"));
    }

    #[test]
    fn printable_text_has_no_escapes() {
        assert_eq!(printable("a\x1b[2Kb\r\nc\u{202e}", 20), "a\u{fffd}[2Kb\u{fffd}\u{fffd}c\u{fffd}");
        assert_eq!(printable("abcdef", 3), "abc…");
    }

    proptest::proptest! {
        #[test]
        fn chunks_make_no_difference(bytes: Vec<u8>, cut in 0usize..64) {
            let whole = read(&bytes);
            let mut parser = Parser::new(LIMIT);
            let cut = cut.min(bytes.len());
            let mut ended = None;
            for part in [&bytes[..cut], &bytes[cut..]] {
                match parser.feed(part) {
                    Ok(None) => {}
                    Ok(Some(_)) => { ended = Some(Ok(parser.take())); break; }
                    Err(why) => { ended = Some(Err(why)); break; }
                }
            }
            let parts = ended.unwrap_or_else(|| parser.finish());
            proptest::prop_assert_eq!(whole, parts);
        }

        #[test]
        fn what_is_written_reads_back(values: Vec<(String, Vec<u8>)>) {
            let mut message = Attributes::new();
            for (number, (_, value)) in values.iter().enumerate() {
                message.push(&format!("key{number}"), value);
            }
            proptest::prop_assert_eq!(read(&message.to_bytes()), Ok(message));
        }
    }
}
