//! The program around the library: a server for scripts, and a browser for them to open.

use clap::{Args, Parser, Subcommand};
use gitlab_stand_in::{Application, Role, StandIn, Visibility, browser::Browser};
use serde_json::json;
use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    thread,
    time::Duration,
};
use tokio::sync::oneshot;

/// A strict fake GitLab for tests and demonstrations.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a server; one line of JSON says where it is.
    Serve(Serve),
    /// Visit an address as a person with a browser would.
    Browser(Visit),
}

#[derive(Args)]
struct Serve {
    /// Use HTTPS, with a certificate authority made for this server.
    #[arg(long)]
    https: bool,
    /// Install GitLab below this path.
    #[arg(long, default_value = "")]
    base_path: String,
    /// Listen on this port of 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Create the user alice, an application, and the project group/app.
    #[arg(long)]
    seed: bool,
    /// How long an access token lives [default: GitLab's 7200].
    #[arg(long, value_name = "SECONDS")]
    token_lifetime: Option<u64>,
    /// Stop when standard input ends, so that no server outlives its script.
    #[arg(long)]
    until_stdin_closes: bool,
}

#[derive(Args)]
struct Visit {
    /// Sign in as this user.
    #[arg(long = "as", default_value = "alice")]
    user: String,
    /// With this password [default: <user>-password].
    #[arg(long)]
    password: Option<String>,
    /// Press Deny.
    #[arg(long)]
    deny: bool,
    /// Enter this code on the device page.
    #[arg(long)]
    code: Option<String>,
    /// Trust this certificate authority (PEM).
    #[arg(long)]
    ca: Option<PathBuf>,
    /// The address to open.
    url: String,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(options) => serve(&options),
        Command::Browser(visit) => browse(visit),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("gitlab-stand-in: {error}");
        ExitCode::FAILURE
    })
}

fn serve(options: &Serve) -> io::Result<ExitCode> {
    // Before anything is announced, so that no signal finds the default action.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signalled = {
        let _context = runtime.enter();
        stop_signal()?
    };
    let gitlab = StandIn::builder()
        .https(options.https)
        .base_path(&options.base_path)
        .address(&format!("127.0.0.1:{}", options.port))
        .try_start()?;
    if let Some(seconds) = options.token_lifetime {
        gitlab.set_token_lifetime(Duration::from_secs(seconds));
    }
    let client_id = options.seed.then(|| seed(&gitlab));
    let ready = json!({
        "url": gitlab.url(),
        "control": gitlab.control_url(),
        "ca": gitlab.ca_pem(),
        "client_id": client_id,
        "project": options.seed.then_some(PROJECT),
    });
    writeln!(io::stdout(), "{ready}")?;
    let closed = options.until_stdin_closes.then(end_of_stdin);
    runtime.block_on(async {
        tokio::select! {
            () = signalled => {}
            Some(_) = async { Some(closed?.await) } => {}
        }
    });
    Ok(ExitCode::SUCCESS)
}

/// Listens from now on, and resolves when the program is told to stop.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Listens from now on, and resolves when the program is told to stop.
#[cfg(windows)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move { drop(interrupt.recv().await) })
}

/// The project `--seed` creates.
const PROJECT: &str = "group/app";

fn seed(gitlab: &StandIn) -> String {
    gitlab.add_user("alice", "Alice Doe");
    gitlab.add_project(PROJECT, Visibility::Private);
    gitlab.grant("alice", PROJECT, Role::Maintainer);
    gitlab.add_application(Application::default()).client_id
}

/// Resolves when standard input ends. A thread of its own reads it, because tokio's would keep the
/// program from ending.
fn end_of_stdin() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        io::copy(&mut io::stdin(), &mut io::sink()).ok();
        ended.send(()).ok();
    });
    end
}

fn browse(visit: Visit) -> io::Result<ExitCode> {
    let mut browser = Browser::new(&visit.user);
    if let Some(password) = &visit.password {
        browser = browser.password(password);
    }
    if let Some(code) = &visit.code {
        browser = browser.code(code);
    }
    if let Some(ca) = &visit.ca {
        browser = browser.trusting(ca)?;
    }
    if visit.deny {
        browser = browser.deny();
    }
    let end = browser.visit(&visit.url)?;
    writeln!(io::stdout(), "{}", end.title)?;
    if end.ok {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{}", end.text);
    Ok(ExitCode::FAILURE)
}
