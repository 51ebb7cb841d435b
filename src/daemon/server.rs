//! Requests in, replies out: one connection, one request.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use interprocess::local_socket::tokio::{Listener, Stream, prelude::*};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::account::Refusal;
use super::accounts::{Accounts, Question, instance_in};
use super::admission::{Admission, Visit};
use super::asker::Glimpse;
use super::examine;
use super::journal::{Handing, Journal};
use super::link;
use super::listener;
use super::reply::{self, account_status, credential, refused};
use super::repos::{self, Listing, Stopped};
use super::secret::Secret;
use super::vault;
use crate::credential::{Attributes, Parser};
use crate::instance::Instance;
use crate::protocol::{Code, Failure, MAX_MESSAGE, action, frame, key};

/// A client that connects and says nothing is not waited for longer.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);

/// Less than the ten seconds that the helper waits, so that it hears why.
const GET_WITHIN: Duration = Duration::from_millis(8_500);

/// A daemon has ended by then, unless a server keeps it waiting. Who looks whether it hangs waits ten
/// seconds.
const ENDS_SOON: Duration = Duration::from_secs(8);

/// How often an account that is being changed is looked for again.
const ENDING_POLL: Duration = Duration::from_millis(50);

/// Whoever asked reads the answer at once; who doesn't is not waited for longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What every connection needs.
#[derive(Debug)]
pub struct Server {
    accounts: Arc<Accounts>,
    journal: Arc<Journal>,
    socket: String,
    /// True once somebody has asked the daemon to end.
    stop: watch::Sender<bool>,
    admission: Admission,
}

impl Server {
    /// A server for these accounts; `socket` is what `status` shows.
    pub fn new(accounts: Arc<Accounts>, journal: Arc<Journal>, socket: String) -> Arc<Self> {
        let stop = watch::Sender::new(false);
        Arc::new(Self { accounts, journal, socket, stop, admission: Admission::new() })
    }

    /// Whether no client is connected.
    pub fn is_idle(&self) -> bool {
        self.admission.is_idle()
    }

    /// Returns when somebody has asked the daemon to end.
    pub async fn stopped(&self) {
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await; // its sender is ours
    }

    /// Accepts clients, for ever.
    pub async fn serve(self: &Arc<Self>, listener: &Listener) {
        loop {
            let visit = self.admission.enter().await;
            let stream = match listener.accept().await {
                Ok(stream) => stream,
                Err(why) => {
                    tracing::warn!(%why, "a client could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await; // out of descriptors: let some close
                    continue;
                }
            };
            if !listener::is_own_user(&stream) {
                tracing::warn!("a client of another user was turned away");
                continue;
            }
            let server = self.clone();
            tokio::spawn(async move {
                if let Err(why) = server.converse(&stream, visit).await {
                    tracing::debug!(%why, "a client went away");
                }
            });
        }
    }

    async fn converse(&self, stream: &Stream, mut visit: Visit) -> io::Result<()> {
        let request = match tokio::time::timeout(REQUEST_WITHIN, read(stream)).await {
            Err(_) => return Ok(()),
            Ok(Err(failure)) => return send(stream, &failure.to_block()).await,
            Ok(Ok(request)) => request,
        };
        let verb = request.text(key::ACTION).unwrap_or_default();
        if self.accounts.are_ending() && !matches!(verb, action::GET | action::STOP) {
            // Mostly the connection ends with the process by then, and the client turns to the next one.
            tokio::time::sleep(ENDS_SOON).await;
            let text = format!(
                "the daemon (pid {}) is ending: it finishes what it has begun first, a renewal perhaps; try again in \
                 a moment",
                std::process::id()
            );
            return send(stream, &Failure::new(Code::Failed, text).to_block()).await;
        }
        if is_errand(&request) && !visit.stay() {
            let text = "the daemon has too many other commands to do; try again when some of them have ended";
            return send(stream, &Failure::new(Code::Failed, text).to_block()).await;
        }
        match verb {
            // An asker who is gone is not noticed: the end of what they send is no sign of it
            // (`printf … | socat` ends so), and the answer is at most seconds away.
            action::GET => {
                let mut handing = Handing::default();
                // While we work, the asker waits and can be looked at.
                let (answer, witnessed) =
                    tokio::join!(self.get(&request, &mut handing), self.witness(stream, &request));
                let sent = send(stream, &answer).await;
                if let Some((instance, glimpse)) = witnessed {
                    self.journal.note(&instance, &request, &answer, &handing, &glimpse.rest().await);
                }
                sent
            }
            action::STORE | action::ERASE => {
                self.judged(&request).await;
                send(stream, &Attributes::new()).await
            }
            action::USE => send(stream, &self.choose_again().await).await,
            action::REPOS => self.repos(stream, &request).await,
            action::STATUS => self.status(stream, &request).await,
            action::PROBE => send(stream, &examine::server(&self.accounts, &request).await).await,
            action::PROJECT => send(stream, &examine::repository(&self.accounts, &request).await).await,
            action::LINK => self.link(stream, &request).await,
            action::AUTHOR => send(stream, &examine::author(&self.accounts, &request).await).await,
            action::UNLINK => self.unlink(stream, &request).await,
            action::VAULT_STATUS
            | action::VAULT_ENCRYPT
            | action::VAULT_UNLOCK
            | action::VAULT_LOCK
            | action::VAULT_DECRYPT => send(stream, &vault::answer(&self.accounts, &request).await).await,
            action::STOP => {
                let block = Attributes::new().with("pid", std::process::id().to_string()).with(key::DONE, "1");
                send(stream, &block).await?;
                self.stop.send_replace(true);
                // The connection ends with the process, so the client sees when it is gone.
                std::future::pending().await
            }
            unknown => {
                let text = format!("this daemon ({}) does not know {unknown:?}", env!("CARGO_PKG_VERSION"));
                send(stream, &Failure::new(Code::Unsupported, text).to_block()).await
            }
        }
    }

    /// Answers git. A host that is not linked gets an empty block: silence.
    async fn get(&self, request: &Attributes, handing: &mut Handing) -> Attributes {
        let Some(question) = Question::in_request(request) else { return Attributes::new() };
        let min_life = request.text(key::MIN_LIFE).and_then(|seconds| seconds.parse().ok());
        let deadline = Instant::now() + GET_WITHIN;
        loop {
            let Ok(found) = tokio::time::timeout_at(deadline, self.accounts.find(&question)).await else {
                let text = "whose token it should be is not known: git config does not answer; try again in a moment";
                return Failure::new(Code::Failed, text).to_block().with("quit", "1");
            };
            let account = match found {
                Ok(Some(account)) => account,
                nobody => {
                    // It may be the one that is asked for.
                    let problem = self.accounts.problem_for(&question).map(|why| Failure::new(Code::Store, why));
                    let failure = problem.or(nobody.err()).map(|failure| failure.to_block().with("quit", "1"));
                    return failure.unwrap_or_default();
                }
            };
            handing.by(&account);
            match tokio::time::timeout_at(deadline, account.get(min_life)).await {
                Ok(Ok(hand_out)) => {
                    handing.handed_out(hand_out.renewed);
                    return credential(&account, hand_out, request);
                }
                // It is being linked again, or unlinked, or the daemon ends: soon there is another one, or none.
                Ok(Err(Refusal::Ending)) if Instant::now() < deadline => tokio::time::sleep(ENDING_POLL).await,
                // A password typed by a person can't help, so git is told not to ask for one.
                Ok(Err(refusal)) => {
                    let failure = self.accounts.with_notices(&account, refused(&account, refusal));
                    return failure.to_block().with("quit", "1");
                }
                Err(_) => {
                    if let Some(rest) = account.get_rest().await {
                        return credential(&account, rest, request);
                    }
                    if self.accounts.are_ending() {
                        return refused(&account, Refusal::Ending).to_block().with("quit", "1");
                    }
                    let who = account.profile.who();
                    let text = format!("renewing the token of {who} takes too long; try again in a moment");
                    return Failure::new(Code::Unreachable, text).to_block().with("quit", "1");
                }
            }
        }
    }

    /// For the journal: which GitLab a request is for, and who asks. Nobody looks where nothing is
    /// to be noted.
    async fn witness(&self, stream: &Stream, request: &Attributes) -> Option<(Instance, Glimpse)> {
        let instance = self.accounts.instance_for(&Question::in_request(request)?)?;
        if !self.journal.is_on(&instance).await {
            return None;
        }
        Some((instance, Glimpse::of(stream)))
    }

    /// git tells how a server took a password.
    async fn judged(&self, request: &Attributes) {
        let worked = request.text(key::ACTION) == Some(action::STORE);
        let Some(question) = Question::in_request(request) else { return };
        let Some(password) = request.text("password").filter(|password| !password.is_empty()) else { return };
        // Whichever account the name in the request would choose: the token tells whose it is.
        for account in self.accounts.list(None, None) {
            if question.is_for(&account.profile.instance) {
                match worked {
                    true => account.worked(Secret::new(password)).await,
                    false => account.refused(Secret::new(password)).await,
                }
            }
        }
    }

    async fn status(&self, stream: &Stream, request: &Attributes) -> io::Result<()> {
        let instance = match instance_in(request) {
            Ok(instance) => instance,
            Err(failure) => return send(stream, &failure.to_block()).await,
        };
        let unwritable = self.accounts.unwritable();
        for account in self.accounts.list(instance.as_ref(), None) {
            let Some(status) = account.status(request.flag("check")).await else { continue };
            let mut block = account_status(&account, &status);
            for place in self.accounts.places_of(&account.profile).await {
                block.push("path[]", place.to_string());
            }
            for notice in self.accounts.notices_beside(&account, &status).into_iter().chain(unwritable.clone()) {
                block.push("notice[]", notice);
            }
            let default = self.accounts.default_of(&account.profile.instance).await;
            let is_default = default.is_some_and(|default| default.profile.id() == account.profile.id());
            block.push("default", if is_default { "1" } else { "0" });
            if let Some(warning) = account.warning().await {
                block.push("warning", warning);
            }
            send(stream, &block).await?;
        }
        let mut last = Attributes::new()
            .with(key::DONE, "1")
            .with("pid", std::process::id().to_string())
            .with("version", env!("CARGO_PKG_VERSION"))
            .with("socket", &self.socket);
        for problem in self.accounts.problems() {
            last.push("problem[]", problem);
        }
        send(stream, &last).await
    }

    /// Lists projects for as long as the client reads.
    async fn repos(&self, stream: &Stream, request: &Attributes) -> io::Result<()> {
        let mut listing = match Listing::begin(request, &self.accounts).await {
            Ok(listing) => listing,
            Err(failure) => return send(stream, &failure.to_block()).await,
        };
        let last = loop {
            match listing.page().await {
                Ok(None) => break listing.end(),
                Ok(Some(projects)) => {
                    for project in &projects {
                        write(stream, &repos::block(project)).await?; // a pager may rest for long
                    }
                }
                Err(Stopped::NoToken(refusal)) => break refused(&listing.account, refusal).to_block(),
                Err(Stopped::Failed(failure)) => break failure.to_block(),
            }
        };
        send(stream, &last).await
    }

    /// git config has changed.
    async fn choose_again(&self) -> Attributes {
        match self.accounts.choose_again().await {
            Ok(()) => Attributes::new().with(key::DONE, "1"),
            Err(why) => Failure::new(Code::Failed, why.to_string()).to_block(),
        }
    }

    async fn link(&self, stream: &Stream, request: &Attributes) -> io::Result<()> {
        let (says, mut said) = mpsc::channel(1);
        let linking = link::run(request, self.accounts.clone(), says);
        let gone = hang_up(stream);
        tokio::pin!(linking, gone);
        // Whoever sends a request and its end hears at least what is wrong with it.
        let mut waits_for_person = false;
        loop {
            tokio::select! {
                biased; // what was said first is shown first
                Some(block) = said.recv() => {
                    waits_for_person = true;
                    send(stream, &block).await?;
                }
                last = &mut linking => return send(stream, &last).await,
                () = &mut gone, if waits_for_person => return Ok(()), // Ctrl-C
            }
        }
    }

    async fn unlink(&self, stream: &Stream, request: &Attributes) -> io::Result<()> {
        let chosen = match self.accounts.chosen(request) {
            Ok(chosen) => chosen,
            Err(failure) => return send(stream, &failure.to_block()).await,
        };
        let local = request.flag("local");
        let mut failed: Option<Failure> = None;
        for account in chosen {
            let instance = &account.profile.instance;
            let answered = self.accounts.default_of(instance).await;
            match self.accounts.unlink(&account, local).await {
                Ok(unlinked) => {
                    let remaining = self.accounts.list(Some(instance), None).len();
                    let mut block = reply::unlinked(&account.profile, unlinked);
                    block.push("remaining", remaining.to_string());
                    let was_default = answered.is_some_and(|default| default.profile.id() == account.profile.id());
                    if let Some(next) = self.accounts.first_of(instance).filter(|_| was_default) {
                        block.push("answers", next.profile.label());
                    }
                    send(stream, &block).await?;
                }
                // Of several, the others are unlinked all the same; the last failure is the reply's end.
                Err(failure) => {
                    if let Some(before) = failed.replace(failure) {
                        send(stream, &Attributes::new().with("not_unlinked", before.message)).await?;
                    }
                }
            }
        }
        let last = failed.map_or_else(|| Attributes::new().with(key::DONE, "1"), |failure| failure.to_block());
        send(stream, &last).await
    }
}

/// Reads one request: up to its empty line, or the end of what the client sends.
async fn read(mut stream: &Stream) -> Result<Attributes, Failure> {
    let broken = |why: &dyn std::fmt::Display| Failure::new(Code::Usage, format!("the request is broken: {why}"));
    let mut parser = Parser::new(MAX_MESSAGE);
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.map_err(|why| broken(&why))?;
        if count == 0 {
            return parser.finish().map_err(|why| broken(&why));
        }
        if parser.feed(&buffer[..count]).map_err(|why| broken(&why))?.is_some() {
            return Ok(parser.take());
        }
    }
}

/// Whether a request may take long: it waits for a person, or for servers.
fn is_errand(request: &Attributes) -> bool {
    match request.text(key::ACTION).unwrap_or_default() {
        action::GET | action::STORE | action::ERASE | action::USE | action::STOP => false,
        action::STATUS => request.flag("check"),
        _ => true,
    }
}

async fn send(stream: &Stream, block: &Attributes) -> io::Result<()> {
    tokio::time::timeout(ANSWER_WITHIN, write(stream, block)).await?
}

async fn write(mut stream: &Stream, block: &Attributes) -> io::Result<()> {
    stream.write_all(&frame(block)).await?;
    stream.flush().await
}

/// Returns when the client has closed its connection. What it still sends is not listened to.
async fn hang_up(mut stream: &Stream) {
    let mut buffer = [0; 256];
    while matches!(stream.read(&mut buffer).await, Ok(count) if count > 0) {}
}
