//! A proxy of a company's: whoever goes through it must say who they are, and it is counted.
//!
//! It speaks CONNECT and SOCKS5 on one port. Whatever host is asked for, the tunnel ends at the one
//! server that it was made for, so that a test can have names that no name server knows.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Whom the proxy knows, with what of the password may not stand in a URL as it is.
const USER: &str = "proxy-user";
const PASSWORD: &str = "pa:ss/w@rd";
const PASSWORD_IN_URL: &str = "pa%3Ass%2Fw%40rd";
/// The two as a Basic credential.
const BASIC: &str = "Basic cHJveHktdXNlcjpwYTpzcy93QHJk";

/// What of the password must be found nowhere.
pub const SECRETS: [&str; 3] = [PASSWORD, PASSWORD_IN_URL, "cHJveHktdXNlcjpwYTpzcy93QHJk"];

/// A running proxy; it ends when this is dropped.
pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
}

struct Shared {
    /// Where every tunnel ends.
    server: String,
    /// Nobody has to say who they are.
    open: bool,
    closed: AtomicBool,
    ended: AtomicBool,
    tunnels: Mutex<Vec<String>>,
    refused: Mutex<usize>,
}

impl Proxy {
    /// One that asks for name and password, before the server of a URL.
    pub fn before(url: &str) -> Self {
        Self::start(url, false)
    }

    /// One that lets everybody in.
    pub fn open_before(url: &str) -> Self {
        Self::start(url, true)
    }

    fn start(url: &str, open: bool) -> Self {
        let server = url.split_once("://").expect("a URL").1.split('/').next().expect("a host").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let (closed, ended) = (AtomicBool::new(false), AtomicBool::new(false));
        let (tunnels, refused) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { server, open, closed, ended, tunnels, refused });
        let all = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let shared = all.clone();
                if shared.ended.load(Ordering::SeqCst) {
                    return;
                }
                // A client that goes away is no news.
                thread::spawn(move || client.and_then(|client| shared.serve(client)));
            }
        });
        Self { address, shared }
    }

    /// Its address, without name and password.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address with everything that it wants to know.
    pub fn url_with_password(&self) -> String {
        self.url_as("http")
    }

    /// The same, where it is another kind of proxy.
    pub fn url_as(&self, scheme: &str) -> String {
        format!("{scheme}://{USER}:{PASSWORD_IN_URL}@{}", self.address)
    }

    /// From now on it lets nobody through.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
    }

    /// Which hosts were asked for by those who got through.
    pub fn tunnels(&self) -> Vec<String> {
        self.shared.tunnels.lock().expect("no panic").clone()
    }

    /// How many got through.
    pub fn count(&self) -> usize {
        self.tunnels().len()
    }

    /// How many did not.
    pub fn refused(&self) -> usize {
        *self.shared.refused.lock().expect("no panic")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address); // wakes the listener up
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let mut first = [0];
        client.read_exact(&mut first)?;
        match first[0] {
            5 => self.socks(client),
            _ => self.connect(client, first[0]),
        }
    }

    fn connect(&self, mut client: TcpStream, first: u8) -> io::Result<()> {
        // curl asks without a password first, and again on the same connection.
        let mut head = vec![first];
        loop {
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte)?;
                head.push(byte[0]);
            }
            let text = String::from_utf8_lossy(&head).into_owned();
            let target = text.split(' ').nth(1).unwrap_or_default().to_owned();
            let knows = text
                .lines()
                .filter_map(|line| line.split_once(": "))
                .any(|(name, value)| name.eq_ignore_ascii_case("proxy-authorization") && value == BASIC);
            let answer = match () {
                () if self.closed.load(Ordering::SeqCst) => "403 Forbidden",
                () if !self.open && !knows => {
                    "407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"proxy\""
                }
                () => {
                    self.tunnels.lock().expect("no panic").push(target);
                    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
                    return self.tunnel(client);
                }
            };
            *self.refused.lock().expect("no panic") += 1;
            client.write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes())?;
            head.clear();
        }
    }

    /// RFC 1928 with RFC 1929.
    fn socks(&self, mut client: TcpStream) -> io::Result<()> {
        let methods = take(&client, 1)?[0];
        take(&client, methods.into())?;
        client.write_all(&[5, if self.open { 0 } else { 2 }])?;
        if !self.open {
            let length = take(&client, 2)?[1];
            let user = take(&client, length.into())?;
            let length = take(&client, 1)?[0];
            let known = (user, take(&client, length.into())?) == (USER.into(), PASSWORD.into());
            client.write_all(&[1, u8::from(!known)])?;
            if !known {
                *self.refused.lock().expect("no panic") += 1;
                return Ok(());
            }
        }
        let target = match take(&client, 4)?[3] {
            3 => {
                let length = take(&client, 1)?[0];
                String::from_utf8_lossy(&take(&client, length.into())?).into_owned()
            }
            kind => format!("{:?}", take(&client, if kind == 1 { 4 } else { 16 })?),
        };
        take(&client, 2)?; // the port
        self.tunnels.lock().expect("no panic").push(target);
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
        self.tunnel(client)
    }

    fn tunnel(&self, client: TcpStream) -> io::Result<()> {
        let server = TcpStream::connect(&self.server)?;
        let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
        let up = thread::spawn(move || {
            let _ = io::copy(&mut from_client, &mut to_server);
            let _ = to_server.shutdown(Shutdown::Write);
        });
        let (mut from_server, mut to_client) = (server, client);
        let _ = io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
        let _ = up.join();
        Ok(())
    }
}

fn take(mut client: &TcpStream, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    client.read_exact(&mut bytes).map(|()| bytes)
}
