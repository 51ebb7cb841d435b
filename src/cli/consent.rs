//! Getting the person's consent: what is shown, and what is listened to until it is there.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::browser::{self, Opened};
use super::call::{Reply, needed, number, text};
use super::error::Error;
use super::hint::Hint;
use super::keyboard::{self, Typed};
use super::paste::{Return, Visited};
use super::qr;
use super::terminal::Terminal;
use super::time::Now;
use crate::credential::Attributes;
use crate::protocol::{Failure, key};

/// How often the keyboard and the daemon are looked at in turn.
const TICK: Duration = Duration::from_millis(100);

/// What remains, without a keyboard; a command follows.
const NOTHING_PASTED: &str = "Nothing can be pasted here, because stdin has ended: only a browser on this machine can \
                              link now. For a code to enter on another device:";

/// How the person wants to give consent.
#[derive(Debug, Clone)]
pub(super) struct Wishes {
    /// Seconds for each consent.
    pub(super) timeout: u64,
    /// The browser is elsewhere: none is opened here.
    pub(super) paste: bool,
    /// The command for the same link by a code.
    pub(super) by_code: String,
}

/// What came of it.
pub(super) enum Consent {
    /// The daemon's last block, good or bad.
    Done(Attributes),
    /// The person wants to type a code on another device instead.
    OnAnotherDevice,
}

type Visit = std::io::Result<Visited>;

/// A link that waits for the person: what they were shown, and what can come of it.
pub(super) struct Waiting {
    reply: Reply,
    wishes: Wishes,
    terminal: Terminal,
    /// What is typed or pasted is read.
    listens: bool,
    /// A code was shown, so an address is only the second choice.
    has_code: bool,
    /// That there will be two consents was said.
    said_twice: bool,
    /// Where a browser comes back to, if one is waited for.
    redirect_uri: Option<String>,
    /// Since when, and what to say when that is long.
    hint: Option<(Instant, Hint)>,
    /// An address was pasted.
    pasted: bool,
    visits: (mpsc::Sender<Visit>, mpsc::Receiver<Visit>),
}

impl Waiting {
    /// For the daemon's reply to a request to link.
    pub(super) fn new(reply: Reply, wishes: Wishes, terminal: Terminal) -> Self {
        Self {
            listens: (wishes.paste || terminal.can_ask()) && !keyboard::has_ended(),
            reply,
            wishes,
            terminal,
            has_code: false,
            said_twice: false,
            redirect_uri: None,
            hint: None,
            pasted: false,
            visits: mpsc::channel(),
        }
    }

    /// Goes through the consent with the person, as the daemon says; and goes on with it, after they
    /// wanted something else.
    pub(super) fn go_on(&mut self) -> Result<Consent, Error> {
        loop {
            if let Some(block) = self.reply.block_within(TICK)? {
                if block.flag(key::DONE) {
                    return Ok(Consent::Done(block));
                }
                self.show(&block)?;
            }
            if self.listen() {
                return Ok(Consent::OnAnotherDevice);
            }
            let hint = self.hint.as_mut().and_then(|(since, hint)| hint.after(since.elapsed()));
            if let Some(hint) = hint {
                self.terminal.note(&hint);
            }
        }
    }

    /// Goes on until a code is shown; the result is why there is none.
    pub(super) fn show_code(&mut self) -> Result<Option<Failure>, Error> {
        while !self.has_code {
            let block = self.reply.block()?.ok_or(Error::Incomplete("block"))?;
            if block.flag(key::DONE) {
                return Failure::in_block(&block).map(Some).ok_or(Error::Incomplete("user_code"));
            }
            self.show(&block)?;
        }
        Ok(None)
    }

    fn show(&mut self, block: &Attributes) -> Result<(), Error> {
        let terminal = self.terminal;
        let warning = text(block, "warning");
        if !warning.is_empty() {
            terminal.say(&format!("warning: {warning}"));
        }
        for note in block.list("note[]") {
            terminal.note(&String::from_utf8_lossy(note));
        }
        match text(block, "flow").as_str() {
            "web" => {
                self.redirect_uri = Some(needed(block, "redirect_uri")?);
                self.show_address(&needed(block, "url")?, block);
                self.hint = Some((Instant::now(), Hint::new(block, self.another_way())));
            }
            "device" => {
                self.has_code = true;
                show_code(block, terminal)?;
                if block.flag("or_address") {
                    return Ok(()); // what follows is said below the address
                }
            }
            "token" => {
                note_store(block, terminal);
                return Ok(());
            }
            _ => return Ok(()),
        }
        if block.flag("twice") && !self.said_twice {
            terminal.note("GitLab will ask for your consent twice: the second is for the spare login.");
            self.said_twice = true;
        }
        let seconds = number(block, "expires_in").unwrap_or(self.wishes.timeout);
        let until = Now::here().show_in(seconds);
        terminal.note(&format!("Waiting for your consent until {until}; Ctrl-C gives up."));
        Ok(())
    }

    /// The address to open, in a browser here or elsewhere.
    fn show_address(&self, url: &str, block: &Attributes) {
        let (terminal, host, listens) = (self.terminal, text(block, "host"), self.listens);
        let Wishes { paste, by_code, .. } = &self.wishes;
        if self.has_code {
            let how = match listens {
                true => "in any browser, and paste here the address that it ends on",
                false => "in a browser on this machine (to paste what one elsewhere ends on, add --paste)",
            };
            return terminal.note(&format!("Or open this address {how}:\n\n  {url}\n\n"));
        }
        let elsewhere = *paste || !browser::is_here();
        let place = if elsewhere && listens { "in a browser" } else { "in a browser on this machine" };
        terminal.say(&format!("To link {host}, open this address {place}:\n\n  {url}\n\n"));
        note_store(block, terminal);
        match (elsewhere, listens) {
            (true, true) => terminal.say(
                "After you agreed, the browser goes to an address that it can't open, unless it runs on this machine. \
                 Copy that address, paste it here, and press Enter. To enter a code instead, type d and press Enter.",
            ),
            (true, false) if *paste => terminal.say(&format!("{NOTHING_PASTED} {by_code}")),
            (true, false) => terminal.note("For a browser on another machine: --paste, or --device."),
            (false, _) => self.open(url),
        }
    }

    /// Opens a browser on this machine.
    fn open(&self, url: &str) {
        let Self { terminal, listens, .. } = *self;
        match browser::open(url) {
            Ok(Opened::Yes) => terminal.note("A browser was asked to open it."),
            Ok(Opened::NoDesktop) => terminal.detail("Neither BROWSER nor a desktop is there to open it."),
            Err(why) if listens => terminal.say(&format!("No browser could be started: {why}. Open it yourself.")),
            Err(why) => terminal.say(&format!(
                "No browser could be started: {why}. Open it yourself on this machine or, for a code to enter on \
                 another device: {}",
                self.wishes.by_code
            )),
        }
        if listens {
            terminal.note(
                "Should it end on an address that it can't open, paste that here. To use another device, type d.",
            );
        }
    }

    /// How to get a code, for who has none.
    fn another_way(&self) -> Option<&str> {
        match (self.has_code, self.listens) {
            (true, _) => None,
            (false, true) => Some("type d and press Enter."),
            (false, false) => Some(&self.wishes.by_code),
        }
    }

    /// Takes what was typed meanwhile. True if the person wants to use another device.
    fn listen(&mut self) -> bool {
        while let Ok(visited) = self.visits.1.try_recv() {
            self.tell(visited);
        }
        let Some(redirect_uri) = self.redirect_uri.as_deref().filter(|_| self.listens) else { return false };
        let line = match keyboard::typed() {
            Typed::Line(line) => line,
            Typed::Nothing => return false,
            Typed::End => {
                self.listens = false;
                if !self.pasted && !self.has_code {
                    self.terminal.say(&format!("{NOTHING_PASTED} {}", self.wishes.by_code));
                }
                return false;
            }
        };
        match line.trim() {
            "" => {}
            "d" | "D" => return true,
            pasted => match Return::parse(pasted, redirect_uri) {
                Ok(found) => {
                    let visits = self.visits.0.clone();
                    std::thread::spawn(move || visits.send(found.visit()));
                    self.pasted = true;
                }
                Err(why) => self.terminal.say(why),
            },
        }
        false
    }

    fn tell(&self, visited: Visit) {
        match visited {
            Ok(Visited::Taken) => {}
            Ok(Visited::Onward(url)) => {
                self.terminal.say(&format!("Now open this address, for the spare login:\n\n  {url}\n\n"));
            }
            Ok(Visited::Stranger) => {
                self.terminal
                    .say("this address was used already, or belongs to an older attempt; open the one above again");
            }
            Err(why) => self
                .terminal
                .say(&format!("the daemon could not be told ({why}); if it runs on another machine, use --device")),
        }
    }
}

fn show_code(block: &Attributes, terminal: Terminal) -> Result<(), Error> {
    let (url, code) = (needed(block, "url")?, needed(block, "user_code")?);
    let (host, url_with_code) = (text(block, "host"), text(block, "url_with_code"));
    terminal
        .say(&format!("To link {host}, open this page on any device, and enter the code:\n\n  {url}\n\n  {code}\n\n"));
    if let Some(picture) = qr::picture(&url_with_code, terminal.room()) {
        terminal.note(&format!("{picture}\nThe picture leads there, with the code filled in: {url_with_code}"));
    }
    note_store(block, terminal);
    Ok(())
}

fn note_store(block: &Attributes, terminal: Terminal) {
    let place = text(block, "store_place");
    if !place.is_empty() {
        terminal.note(&format!("The tokens will be kept in {place}."));
    }
}
