//! `git http-backend`, git's own server side, as a CGI program with streams on both ends.

use super::access::Pass;
use crate::server::{Call, Payload};
use bytes::Bytes;
use http_body_util::{
    BodyExt,
    channel::{Channel, Sender},
};
use hyper::{
    Response, StatusCode,
    body::Incoming,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use std::{io, path::PathBuf, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::OnceCell,
};

/// How much of a pack is handed on at once.
const CHUNK: usize = 64 * 1024;

/// The program's place, which only git knows.
async fn program() -> io::Result<&'static PathBuf> {
    static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
    PROGRAM
        .get_or_try_init(|| async {
            let output = Command::new("git").arg("--exec-path").output().await?;
            let text = String::from_utf8(output.stdout).map_err(io::Error::other)?;
            Ok(PathBuf::from(text.trim_end()).join("git-http-backend"))
        })
        .await
}

/// Runs the program for one request and returns as soon as it has said its headers.
pub(super) async fn run(pass: &Pass, call: &Call, end: &str, body: Incoming) -> io::Result<Response<Payload>> {
    let mut child = command(pass, call, end).await?.spawn()?;
    let stdin = child.stdin.take().expect("stdin is piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    tokio::spawn(feed(body, stdin));
    let (status, headers) = read_head(&mut stdout).await?;
    let (sender, channel) = Channel::new(2);
    tokio::spawn(drain(stdout, child, sender));
    let mut response = Response::new(channel.boxed_unsync());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The CGI environment, and nothing else: no configuration of this machine reaches the server.
async fn command(pass: &Pass, call: &Call, end: &str) -> io::Result<Command> {
    let mut command = Command::new(program().await?);
    let name = pass.repository.file_name().expect("repositories have names").to_string_lossy();
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", &pass.home)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_PROJECT_ROOT", pass.repository.parent().expect("repositories are in a directory"))
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GATEWAY_INTERFACE", "CGI/1.1")
        .env("SERVER_PROTOCOL", "HTTP/1.1")
        .env("REQUEST_METHOD", call.method.as_str())
        .env("PATH_INFO", format!("/{name}{end}"))
        .env("QUERY_STRING", &call.raw_query)
        .env("REMOTE_ADDR", call.peer.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    if let Some(username) = &pass.username {
        command.env("REMOTE_USER", username);
    }
    // The encoding lets the program inflate gzip bodies itself, the protocol selects version 2.
    for (variable, name) in [
        ("CONTENT_TYPE", "content-type"),
        ("CONTENT_LENGTH", "content-length"),
        ("HTTP_CONTENT_ENCODING", "content-encoding"),
        ("HTTP_GIT_PROTOCOL", "git-protocol"),
        ("GIT_PROTOCOL", "git-protocol"),
    ] {
        if let Some(value) = call.header(name) {
            command.env(variable, value);
        }
    }
    Ok(command)
}

/// Passes the request's body on; a client that leaves closes the program's input.
async fn feed(mut body: Incoming, mut stdin: ChildStdin) {
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        // The program may have heard enough: then it has closed its end.
        if stdin.write_all(&data).await.is_err() {
            return;
        }
    }
}

/// Passes the program's output on, at the pace of the client.
async fn drain(mut stdout: BufReader<ChildStdout>, mut child: Child, mut sender: Sender<Bytes, io::Error>) {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        match (&mut stdout).take(CHUNK as u64).read_buf(&mut chunk).await {
            Ok(0) => break,
            Ok(_) if sender.send_data(chunk.into()).await.is_ok() => {}
            // The client has left; dropping the child ends the program.
            Ok(_) => return,
            Err(error) => return sender.abort(error),
        }
    }
    child.wait().await.ok();
}

/// Reads the CGI header: `Status:` is the status, all else is passed on.
async fn read_head(stdout: &mut BufReader<ChildStdout>) -> io::Result<(StatusCode, HeaderMap)> {
    let mut status = StatusCode::OK;
    let mut headers = HeaderMap::new();
    loop {
        let mut line = String::new();
        if stdout.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        if name == "Status" {
            let code = value.split(' ').next().unwrap_or_default();
            status = code.parse().map_err(io::Error::other)?;
            continue;
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
        let value = HeaderValue::from_str(value).map_err(io::Error::other)?;
        // The body's length is hyper's business.
        if name != header::CONTENT_LENGTH {
            headers.append(name, value);
        }
    }
}
