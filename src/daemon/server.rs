//! Requests in, replies out: one connection, one request.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use interprocess::local_socket::tokio::{Listener, Stream, prelude::*};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::account::{Account, HandOut, Refusal, Spare, Status};
use super::accounts::{Accounts, Question};
use super::asker::Glimpse;
use super::clock::Timestamp;
use super::examine;
use super::journal::{Handing, Journal};
use super::link;
use super::listener;
use super::profile::ByHand;
use super::repos::{self, Listing, Stopped};
use super::schedule::Reason;
use super::secret::Secret;
use crate::credential::{Attributes, Parser, printable};
use crate::idn;
use crate::instance::Instance;
use crate::protocol::{Code, Failure, MAX_MESSAGE, action, frame, key};

/// A client that connects and says nothing is not waited for longer.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);

/// Less than the ten seconds that the helper waits, so that it hears why.
const GET_WITHIN: Duration = Duration::from_millis(8_500);

/// How often an account that is being changed is looked for again.
const ENDING_POLL: Duration = Duration::from_millis(50);

/// Connections at a time; the rest wait in the socket's queue. Well below the usual limit of
/// 1,024 open files.
const CONNECTIONS: usize = 512;

/// What every connection needs.
#[derive(Debug)]
pub struct Server {
    accounts: Arc<Accounts>,
    journal: Arc<Journal>,
    socket: String,
    /// True once somebody has asked the daemon to end.
    stop: watch::Sender<bool>,
    connections: Arc<Semaphore>,
}

impl Server {
    /// A server for these accounts; `socket` is what `status` shows.
    pub fn new(accounts: Arc<Accounts>, journal: Arc<Journal>, socket: String) -> Arc<Self> {
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        Arc::new(Self { accounts, journal, socket, stop: watch::Sender::new(false), connections })
    }

    /// Whether no client is connected.
    pub fn is_idle(&self) -> bool {
        // One place is held for the next client.
        self.connections.available_permits() + 1 >= CONNECTIONS
    }

    /// Accepts clients until somebody asks the daemon to end.
    pub async fn serve(self: &Arc<Self>, listener: &Listener) {
        let mut stop = self.stop.subscribe();
        let stopped = stop.wait_for(|stop| *stop);
        tokio::pin!(stopped);
        loop {
            let permit = self.connections.clone().acquire_owned().await.expect("it is never closed");
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = &mut stopped => return,
            };
            let stream = match accepted {
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
                if let Err(why) = server.converse(&stream).await {
                    tracing::debug!(%why, "a client went away");
                }
                drop(permit);
            });
        }
    }

    async fn converse(&self, stream: &Stream) -> io::Result<()> {
        let request = match tokio::time::timeout(REQUEST_WITHIN, read(stream)).await {
            Err(_) => return Ok(()),
            Ok(Err(failure)) => return send(stream, &failure.to_block()).await,
            Ok(Ok(request)) => request,
        };
        match request.text(key::ACTION).unwrap_or_default() {
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
            action::UNLINK => self.unlink(stream, &request).await,
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
                // It is being linked again, or unlinked: soon there is another one, or none.
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
        let instance = match parse_host(request) {
            Ok(instance) => instance,
            Err(failure) => return send(stream, &failure.to_block()).await,
        };
        for account in self.accounts.list(instance.as_ref(), None) {
            let Some(status) = account.status(request.flag("check")).await else { continue };
            let mut block = status_block(&account, &status);
            for place in self.accounts.places_of(&account.profile).await {
                block.push("path[]", place.to_string());
            }
            for notice in self.accounts.notices_beside(&account, &status) {
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
                        send(stream, &repos::block(project)).await?;
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
        let chosen = match self.chosen(request) {
            Ok(chosen) => chosen,
            Err(failure) => return send(stream, &failure.to_block()).await,
        };
        let local = request.flag("local");
        let mut last = Attributes::new().with(key::DONE, "1");
        for account in chosen {
            if let Err(failure) = self.accounts.unlink(&account, local).await {
                last = failure.to_block(); // of several, the others are unlinked all the same
                continue;
            }
            let remaining = self.accounts.list(Some(&account.profile.instance), None).len();
            let revoked = !local && !account.profile.is_deploy_token();
            let mut block = Attributes::new()
                .with("host", account.profile.instance.to_string())
                .with("username", &account.profile.username)
                .with("label", account.profile.label())
                .with("revoked", if revoked { "1" } else { "0" })
                .with("remaining", remaining.to_string());
            if let Some(ByHand { kind, .. }) = account.profile.by_hand.filter(|_| !revoked) {
                let (name, place) = (kind.name(), kind.place(&account.profile.instance));
                block.push("not_revoked", format!("the {name} still works at the server; to revoke it: {place}"));
            }
            send(stream, &block).await?;
        }
        send(stream, &last).await
    }

    /// The accounts that an unlink means: all, or exactly one.
    fn chosen(&self, request: &Attributes) -> Result<Vec<Account>, Failure> {
        let instance = parse_host(request)?;
        if request.flag("all") {
            return Ok(self.accounts.list(instance.as_ref(), None));
        }
        let instance = instance.unwrap_or_else(|| self.accounts.usual_instance());
        let chosen = self.accounts.list(Some(&instance), request.text("account"));
        match chosen.as_slice() {
            [_] => Ok(chosen),
            [] => Err(Failure::new(Code::NotLinked, self.not_linked(&instance))),
            several => {
                let text = format!("{instance} is linked as {}: say which with --account NAME", names(several));
                Err(Failure::new(Code::Usage, text))
            }
        }
    }

    fn not_linked(&self, instance: &Instance) -> String {
        match self.accounts.list(Some(instance), None).as_slice() {
            [] => format!("{instance} is not linked"),
            others => format!("{instance} is linked as {}, not as that account", names(others)),
        }
    }
}

/// The names of accounts, for people.
fn names(accounts: &[Account]) -> String {
    accounts.iter().map(|account| account.profile.label()).collect::<Vec<_>>().join(" and ")
}

pub(super) fn parse_host(request: &Attributes) -> Result<Option<Instance>, Failure> {
    let parse = |typed| idn::parse(typed).map_err(|why| Failure::new(Code::Usage, format!("{typed}: {why}")));
    request.text("host").map(parse).transpose()
}

/// A token as git wants it.
fn credential(account: &Account, hand_out: HandOut, request: &Attributes) -> Attributes {
    let mut block = Attributes::new();
    let authtype = request.list("capability[]").contains(&&b"authtype"[..]);
    if authtype {
        block.push("capability[]", "authtype");
    }
    block.push("username", account.profile.git_username());
    block.push("password", hand_out.token.expose());
    if let Some(end) = hand_out.expires_at {
        block.push("password_expiry_utc", end.0.to_string());
    }
    if authtype {
        block.push("ephemeral", "1"); // a cache further down the chain must not keep it
    }
    block
}

/// What a person reads when git gets nothing: what happened, to which account, what to type.
pub(super) fn refused(account: &Account, refusal: Refusal) -> Failure {
    let (who, link) = (account.profile.who(), account.profile.link_command());
    match refusal {
        Refusal::Schedule(Reason::Relink(why)) => {
            Failure::new(Code::Relink, format!("the login of {who} has ended: {why}. To log in again, type: {link}"))
        }
        Refusal::Schedule(Reason::Failed(why, again_at)) => {
            let (why, wait) = (why.trim_end_matches('.'), again_at.since(Timestamp::now()).max(1));
            Failure::new(Code::Unreachable, format!("no token for {who}: {why}. Try again in {wait} s"))
        }
        Refusal::Schedule(Reason::Paused(until)) => {
            let wait = until.since(Timestamp::now()).max(1);
            let text = format!(
                "no token for {who}: the server refused several logins within a minute; pausing for {wait} s, \
                 before it bans this address. To see more, type: git credential-gitlab status --check"
            );
            Failure::new(Code::Refused, text)
        }
        Refusal::Store(why) => {
            let place = account.vault.place();
            match why.needs_link() {
                true => Failure::new(
                    Code::Relink,
                    format!("the tokens of {who} were in {place}, but {why}; to link again, type: {link}"),
                ),
                false => Failure::new(Code::Store, format!("no token for {who}: its tokens are in {place}, but {why}")),
            }
        }
        Refusal::Ending => Failure::new(Code::Failed, format!("no token for {who}: the account is being changed")),
    }
}

fn status_block(account: &Account, status: &Status) -> Attributes {
    let profile = &account.profile;
    let mut block = Attributes::new()
        .with("host", profile.instance.to_string())
        .with("username", &profile.username)
        .with("label", profile.label())
        .with("read_only", if profile.read_only { "1" } else { "0" })
        .with("user_id", profile.user_id.to_string())
        .with("name", &profile.name)
        .with("scope", profile.scopes.join(" "))
        .with("kind", &profile.kind)
        .with("client_id", &profile.client_id)
        .with("store", account.vault.kind().word())
        .with("store_place", account.vault.place())
        .with("state", status.state.word())
        .with("detail", &status.detail)
        .with("linked_at", profile.linked_at.0.to_string())
        .with("renewals", status.renewals.to_string());
    let times = [("expires_at", status.expires_at), ("last_used_at", status.last_used_at)];
    match &status.spare {
        None => {}
        Some(Spare::Ready) => block.push("spare", "ready"),
        Some(Spare::Ended(why)) => {
            block.push("spare", "ended");
            block.push("spare_detail", printable(why, 300));
        }
    }
    if let Some(token) = profile.by_hand {
        block.push("token_kind", token.kind.word());
        block.push("token_name", token.kind.name());
        block.push("renewal", profile.renewal(status.kind, status.expires_at.is_some()).unwrap_or_default());
    }
    for (name, time) in times.into_iter().filter_map(|(name, time)| Some((name, time?))) {
        block.push(name, time.0.to_string());
    }
    block
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

async fn send(mut stream: &Stream, block: &Attributes) -> io::Result<()> {
    stream.write_all(&frame(block)).await?;
    stream.flush().await
}

/// Returns when the client has closed its connection. What it still sends is not listened to.
async fn hang_up(mut stream: &Stream) {
    let mut buffer = [0; 256];
    while matches!(stream.read(&mut buffer).await, Ok(count) if count > 0) {}
}
