//! Daemons that are not ours, and none at all: N01.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::is_one_line_at_most;
use crate::support::{Sandbox, make_private};

/// Answers everybody, until the test says that it is over.
fn serve(listener: UnixListener, answer: impl Fn(UnixStream) + Send + 'static) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = [0; 1024];
            let count = stream.read(&mut request).unwrap_or(0);
            if request[..count].starts_with(b"end") {
                return;
            }
            held.push(stream.try_clone().expect("a descriptor"));
            answer(stream);
        }
    })
}

fn end(socket: &Path) {
    UnixStream::connect(socket).and_then(|mut stream| stream.write_all(b"end")).expect("it still listens");
}

/// Row N01.
#[test]
fn where_no_daemon_of_ours_answers_there_is_one_line_and_no_token() {
    let mut sandbox = Sandbox::new();
    let directory = sandbox.path("planted");
    make_private(&directory);
    let place = |name: &str| directory.join(name);
    drop(UnixListener::bind(place("nobody")).expect("a socket whose listener is gone"));
    fs::write(place("file"), "").expect("written");
    fs::create_dir(place("directory")).expect("made");
    assert!(Command::new("mkfifo").arg(place("pipe")).status().expect("mkfifo is there").success());
    std::os::unix::fs::symlink("/dev/zero", place("device")).expect("linked");
    std::os::unix::fs::symlink(place("loop"), place("loop")).expect("linked");
    let strangers = UnixListener::bind(place("stranger")).expect("a socket");
    let stranger = serve(strangers, |mut stream| {
        let _ = stream.write_all(b"username=oauth2\npassword=planted\n\n"); // it may have hung up
    });
    // Root alone can give a socket away.
    let given = std::os::unix::fs::chown(place("stranger"), Some(65534), None).is_ok();
    let mut places = vec!["absent", "nobody", "file", "directory", "pipe", "device", "loop"];
    places.extend(given.then_some("stranger"));
    for name in places {
        sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", place(name));
        let silent = sandbox.get();
        assert_eq!((silent.code, silent.stdout.as_str()), (Some(0), ""), "{name}: {silent:?}");
        assert!(is_one_line_at_most(&silent.stderr) && !silent.stderr.is_empty(), "{name}: {silent:?}");
        assert!(silent.took < Duration::from_secs(5), "{name}: {silent:?}");
        for verb in ["store", "erase"] {
            let silent = sandbox.helper(verb, sandbox.question() + "username=x\npassword=hunter2\n");
            assert_eq!((silent.stdout.as_str(), silent.stderr.as_str()), ("", ""), "{verb} {name}");
        }
    }
    std::os::unix::fs::chown(place("stranger"), Some(fs::metadata(&directory).map_or(0, |it| uid(&it))), None)
        .expect("it is ours again");
    end(&place("stranger"));
    stranger.join().expect("no panic");
}

fn uid(found: &fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::uid(found)
}

/// Row N01.
#[test]
fn a_daemon_that_keeps_somebody_waiting_does_so_for_seconds() {
    /// A byte that ends no line, every now and then.
    fn drip(mut stream: UnixStream) {
        std::thread::spawn(move || {
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(200)); // there is nothing to wait for
            }
        });
    }
    /// As much as the other side takes.
    fn flood(mut stream: UnixStream) {
        std::thread::spawn(move || while stream.write_all(&[b'x'; 4096]).is_ok() {});
    }
    /// Whole lines, and no end.
    fn lines(mut stream: UnixStream) {
        std::thread::spawn(move || while stream.write_all(b"a[]=b\n").is_ok() {});
    }
    type Way = fn(UnixStream);
    let ways: [(&str, Way); 4] = [("silence", drop), ("drip", drip), ("flood", flood), ("lines", lines)];
    std::thread::scope(|scope| {
        for (name, way) in ways {
            scope.spawn(move || {
                let mut sandbox = Sandbox::new();
                let directory = sandbox.path("planted");
                make_private(&directory);
                let socket = directory.join("socket");
                let served = serve(UnixListener::bind(&socket).expect("a socket"), way);
                sandbox.set("GIT_CREDENTIAL_GITLAB_SOCKET", &socket);
                let silent = sandbox.get();
                end(&socket);
                served.join().expect("no panic");
                assert_eq!((silent.code, silent.stdout.as_str()), (Some(0), ""), "{name}: {silent:?}");
                assert!(is_one_line_at_most(&silent.stderr) && !silent.stderr.is_empty(), "{name}: {silent:?}");
                assert!(silent.took < Duration::from_secs(12), "{name}: {silent:?}");
            });
        }
    });
}
