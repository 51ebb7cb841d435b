//! What git's `get` can be asked: H01 to H56, and H72.

use super::{NAMED, is_one_line_at_most, linked_and_named, token_of};
use crate::support::Sandbox;

/// What must come of a question.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Comes {
    /// Nothing, and one line on stderr at most.
    Silence,
    /// Nothing at all: it is none of our business, or nobody's.
    Nothing,
    /// The token.
    Answer,
}

use Comes::{Answer, Nothing, Silence};

struct Row {
    id: &'static str,
    comes: Comes,
    inputs: Vec<Vec<u8>>,
}

/// One family: several inputs that must meet with the same.
fn row<Input: Into<Vec<u8>>>(id: &'static str, comes: Comes, inputs: impl IntoIterator<Item = Input>) -> Row {
    Row { id, comes, inputs: inputs.into_iter().map(Into::into).collect() }
}

/// A question over https for each of these hosts.
fn hosts<'a>(hosts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    hosts.into_iter().map(|host| format!("protocol=https\nhost={host}\n")).collect()
}

/// The named GitLab's question, and each of these lines after it.
fn with<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    lines.into_iter().map(|line| format!("{NAMED}{line}\n")).collect()
}

/// The same noise every time.
fn noise(seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed).wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..2_000).map(|_| next()).collect()
}

/// A line of 70 kB that has another line's text inside.
fn hidden(text: &str) -> impl Iterator<Item = String> {
    [255, 1024, 4096, 65_525, 65_535, 65_536, 69_000].into_iter().map(move |at| {
        let before = "x".repeat(at - "wwwauth[]=".len());
        format!("wwwauth[]={before}{text}{}\n", "x".repeat(71_000 - at - text.len()))
    })
}

/// Lines and their ends.
fn lines() -> Vec<Row> {
    vec![
        row("H01", Silence, with(["host=evil.example", "x=y\nhost=evil.example", "host="])),
        row("H02", Silence, [format!("host=evil.example\n{NAMED}"), format!("host=\n{NAMED}")]),
        row("H03", Silence, with(["host=gitlab.example"])),
        row("H04", Silence, with(["protocol=http", "protocol=https"])),
        row(
            "H05",
            Silence,
            hosts(["gitlab.example\rx", "evil.example\rhost=gitlab.example", "\rgitlab.example", "gitlab.example\r\r"]),
        ),
        row("H05", Silence, with(["username=a\rb", "path=a\rprotocol=http", "x\ry=z", "username=%0d\r\rx"])),
        row("H06", Answer, [NAMED.replace('\n', "\r\n"), format!("{}\r\n", NAMED.replace('\n', "\r\n"))]),
        row(
            "H07",
            Silence,
            hosts(["gitlab.example\0", "gitlab.example\0.evil.example", "\0gitlab.example", "gitlab\0.example"]),
        ),
        row("H08", Silence, with(["x\0y=1", "\0=1"])),
        row("H08", Silence, ["protocol=https\nho\0st=gitlab.example\n", "protocol=https\nhost\0=gitlab.example\n"]),
        row(
            "H09",
            Nothing,
            hosts(["gitlab.example\u{2028}", "x\u{2028}host=gitlab.example", "\u{2029}gitlab.example"]),
        ),
        row(
            "H10",
            Nothing,
            hosts(["gitlab.example\u{b}", "gitlab.example\u{c}x", "gitlab.example\u{1c}", "\u{85}gitlab.example"]),
        ),
        row("H11", Silence, with(["nonsense", "hunter2", "password: hunter2", "\u{1b}[2J"])),
        row("H12", Silence, with(["=x", "=", "=hunter2"])),
        row("H13", Answer, [NAMED.trim_end_matches('\n')]),
        row("H15", Answer, with(["\nprotocol=http\nhost=evil.example", "\nnonsense", "\n\0\r\u{1b}[2J", "\n\n\n"])),
        row("H16", Nothing, [format!("\n{NAMED}"), format!("\r\n{NAMED}")]),
        row("H17", Nothing, ["", "\n", "\n\n\n", "\r\n", "\r\n\r\n"]),
        row("H18", Silence, (1..=8).map(noise)),
        row("H18", Silence, [vec![0xff, 0xfe, 0, 10, 61], vec![0; 4_096], b"\x7fELF\x02\x01\x01".to_vec()]),
        row("H19", Nothing, [format!("\u{feff}{NAMED}")]),
        row("H46", Nothing, [NAMED.to_uppercase(), NAMED.replace('=', " = "), NAMED.replace("host", "Host")]),
        row("H47", Answer, with(["path=a=b=c", "username=a=b", "x==="])),
    ]
}

/// What is too large, and what is missing.
fn sizes() -> Vec<Row> {
    let long = "x".repeat(1 << 20);
    let without_host = hidden("\nhost=gitlab.example\n".trim()).map(|line| format!("protocol=https\n{line}"));
    vec![
        row("H20", Nothing, without_host),
        row("H20", Answer, hidden("host=evil.example").map(|line| format!("{NAMED}{line}"))),
        row(
            "H21",
            Silence,
            hosts([long.as_str(), &format!("gitlab.example{long}"), &format!("{long}.gitlab.example")]),
        ),
        row("H23", Answer, [format!("{}{NAMED}", "wwwauth[]=Basic\n".repeat(20_000))]),
        row("H24", Nothing, ["protocol=https\n", "protocol=https\nusername=oauth2\n", "protocol=https\npath=x\n"]),
        row("H25", Nothing, hosts([""])),
        row(
            "H26",
            Nothing,
            ["host=gitlab.example\n", "protocol=\nhost=gitlab.example\n", "path=x\nhost=gitlab.example\n"],
        ),
        row("H51", Answer, with(["path=../../../etc/passwd", "path=/etc/passwd", "path=..\\..\\x", "path="])),
        row("H51", Answer, [format!("{NAMED}path={}\n", "a/".repeat(30_000))]),
    ]
}

/// Whose token it is asked for.
fn places(sandbox: &Sandbox) -> Vec<Row> {
    let port = sandbox.gitlab.url().rsplit(':').next().expect("a port").to_owned();
    let schemes =
        ["cert", "ssh", "ftp", "file", "imap", "smtp", "javascript", "https:", "https://", "httpss", "git", "socks5"];
    let schemes = schemes.map(|scheme| NAMED.replace("https", scheme));
    vec![
        row("H27", Nothing, ["protocol=http\nhost=gitlab.example\n", "protocol=http\nhost=gitlab.example:443\n"]),
        row("H28", Nothing, schemes),
        row("H29", Answer, ["protocol=HTTPS\nhost=gitlab.example\n", "protocol=Https\nhost=gitlab.example\n"]),
        row(
            "H30",
            Nothing,
            hosts([
                "gitlab.example.evil",
                "evilgitlab.example",
                "xgitlab.example",
                "itlab.example",
                ".gitlab.example",
                "gitlab.exampl",
                "gitlab-example",
                "a.gitlab.example",
                "*.example",
                "*",
            ]),
        ),
        row(
            "H31",
            Nothing,
            hosts([
                "user@gitlab.example",
                "gitlab.example@evil.example",
                "@gitlab.example",
                "gitlab.example@",
                "a:b@gitlab.example",
            ]),
        ),
        row(
            "H32",
            Nothing,
            hosts([
                "gitlab.example/",
                "gitlab.example/x",
                "gitlab.example?x",
                "gitlab.example#",
                "gitlab.example\\",
                "//gitlab.example",
                "https://gitlab.example",
                "evil.example/gitlab.example",
                "evil.example#gitlab.example",
            ]),
        ),
        row(
            "H33",
            Nothing,
            hosts([
                "gitlab%2eexample",
                "%67itlab.example",
                "gitlab.example%00",
                "gitlab.example%0a",
                "gitlab.example%2f",
            ]),
        ),
        row(
            "H34",
            Nothing,
            hosts([
                " gitlab.example",
                "gitlab.example ",
                "\tgitlab.example",
                "gitlab.example\t",
                "\"gitlab.example\"",
                "'gitlab.example'",
                "gitlab .example",
            ]),
        ),
        row("H35", Answer, hosts(["GITLAB.EXAMPLE", "GitLab.Example"])),
        row(
            "H36",
            Nothing,
            hosts([
                "gitl\u{430}b.example",
                "\u{ff47}itlab.example",
                "gitlab\u{3002}example",
                "git\u{212a}lab.example",
                "gitlab.example\u{17f}",
                "\u{261}itlab.example",
                "gitla\u{184}.example",
                "gitlab.example\u{200b}",
                "gitlab\u{2024}ex\u{e4}mple",
            ]),
        ),
        // One final dot is the same name to DNS, and to us; two are none.
        row("H37", Answer, hosts(["gitlab.example."])),
        row("H37", Nothing, hosts(["gitlab.example..", ".", "gitlab.example.x.", ".gitlab.example."])),
        row(
            "H38",
            Nothing,
            hosts(["gitlab.example:8443", "gitlab.example:80", "gitlab.example:4430", "gitlab.example:44"]),
        ),
        row(
            "H38",
            Nothing,
            ["protocol=http\nhost=127.0.0.1\n".to_owned(), format!("protocol=http\nhost=127.0.0.1:{port}0\n")],
        ),
        row("H39", Answer, hosts(["gitlab.example:443"])),
        row(
            "H40",
            Nothing,
            hosts([
                "gitlab.example:",
                "gitlab.example:0443",
                "gitlab.example:x",
                "gitlab.example:+443",
                "gitlab.example:-443",
                "gitlab.example:99999",
                "gitlab.example:443:443",
                "gitlab.example:443x",
                "gitlab.example: 443",
                "gitlab.example:\u{664}\u{664}\u{663}",
                "gitlab.example:18446744073709552059",
            ]),
        ),
        row(
            "H41",
            Nothing,
            hosts([
                "localhost",
                "127.0.0.1",
                "[::1]",
                "169.254.169.254",
                "metadata.google.internal",
                "github.com",
                "gitlab.com",
                "bitbucket.org",
                "codeberg.org",
            ]),
        ),
    ]
}

/// What else can stand in a question.
fn attributes() -> Vec<Row> {
    let git = "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=gitlab.example\nwwwauth[]=Basic realm=\"GitLab\"\n";
    let bearer = "wwwauth[]=Bearer authorize_uri=\"https://gitlab.evil/oauth/authorize\"\n";
    vec![
        row(
            "H42",
            Nothing,
            [
                [b"protocol=https\nhost=\xff".as_slice(), b"gitlab.example\n"].concat(),
                b"protocol=https\nhost=gitlab.example\xc3\n".to_vec(),
            ],
        ),
        row("H42", Answer, [[NAMED.as_bytes(), b"unknown[]=\xff\npath=\xc3\x28\nusername=\xfe\n"].concat()]),
        row("H43", Answer, with(["unknown=1\nfuture[]=2", "capability[]=teleport", "capability[]=", "a b c=d"])),
        row("H44", Answer, [git]),
        row("H45", Answer, with(["capability[]=authtype\ncapability[]="])),
        row("H48", Nothing, ["url=https://gitlab.example/\n".to_owned()]),
        row(
            "H48",
            Nothing,
            with([
                "url=https://evil.example/",
                "url=http://gitlab.example/",
                "url=gitlab.example",
                "url=https://gitlab.example@evil.example/",
                "url=",
            ]),
        ),
        row("H48", Answer, with(["url=https://gitlab.example/group/app.git", "url=https://alice@gitlab.example/"])),
        row("H49", Answer, with(["username=alice", "username=mallory", "username=", "username=oauth2"])),
        row("H50", Answer, with(["username=\u{1b}[2J\u{1b}]0;x\u{7}", "path=\u{1b}[2K\u{8}", "username=\u{202e}x"])),
        row("H50", Nothing, hosts(["\u{1b}[2Jgitlab.example", "gitlab.example\u{7}", "gitlab.example\u{202e}"])),
        row("H52", Answer, with(["password=hunter2", "password=", "credential=hunter2\nauthtype=Bearer"])),
        row(
            "H53",
            Answer,
            with([
                "quit=1",
                "state[]=somebody:x",
                "ephemeral=1",
                "continue=1",
                "error=x\nmessage=y\ndone=1",
                "action=stop",
                "account=mallory",
                "min_life=-9223372036854775808",
                "min_life=99999999999999999999",
                "min_life=x",
            ]),
        ),
        row(
            "H54",
            Nothing,
            hosts(["gitlab.evil", "gitlab.example.evil", "gitlab", "code.example"]).into_iter().flat_map(|question| {
                [format!("{question}wwwauth[]=Basic realm=\"GitLab\"\n"), format!("{question}{bearer}")]
            }),
        ),
        // The variables are those of the test below.
        row("H55", Nothing, hosts(["gitlab.com", "evil.example", "gitlab.evil", "ci.example"])),
        row("H56", Silence, with(["wwwauth[]=Basic\rhost=evil.example", "wwwauth[]=a\0b"])),
        row(
            "H56",
            Answer,
            with([
                "password_expiry_utc=1",
                "oauth_refresh_token=hunter2",
                "password_expiry_utc=x\noauth_refresh_token=",
            ]),
        ),
    ]
}

/// Rows H64 and H72.
#[test]
fn hostile_questions_get_no_token_and_cost_nothing() {
    let mut sandbox = linked_and_named();
    // Tokens that are for others, H55.
    for name in ["GITLAB_TOKEN", "GITLAB_ACCESS_TOKEN", "CI_JOB_TOKEN", "GL_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"] {
        sandbox.set(name, "hunter2");
    }
    for name in ["GITLAB_HOST", "GITLAB_URI", "CI_SERVER_HOST", "GH_HOST"] {
        sandbox.set(name, "ci.example");
    }
    let token = sandbox.token();
    let requests = sandbox.gitlab.requests().len();
    let rows = lines().into_iter().chain(sizes()).chain(places(&sandbox)).chain(attributes());
    for Row { id, comes, inputs } in rows {
        assert!(!inputs.is_empty(), "{id}");
        for input in inputs {
            let shown = format!("{id} {:?}", String::from_utf8_lossy(&input[..input.len().min(120)]));
            let got = sandbox.helper("get", &input);
            assert!(is_one_line_at_most(&got.stderr), "{shown}: {got:?}");
            assert!(
                !got.stderr.contains(&token) && !(got.stdout.clone() + &got.stderr).contains("hunter2"),
                "{shown}: {got:?}"
            );
            match comes {
                Answer => assert_eq!(token_of(&got), token, "{shown}: {got:?}"),
                Silence => assert!(got.stdout.is_empty() && matches!(got.code, Some(0 | 1)), "{shown}: {got:?}"),
                Nothing => {
                    assert_eq!((got.code, got.stdout.as_str(), got.stderr.as_str()), (Some(0), "", ""), "{shown}")
                }
            }
            let announced = id == "H44";
            assert_eq!(
                got.stdout.contains("ephemeral") || got.stdout.contains("authtype"),
                announced,
                "{shown}: {got:?}"
            );
            // The same as something that worked, or was refused.
            if comes != Answer {
                for verb in ["erase", "store"] {
                    let silent = sandbox.helper(verb, &input);
                    assert_eq!(
                        (silent.code, silent.stdout.as_str(), silent.stderr.as_str()),
                        (Some(0), "", ""),
                        "{verb} {shown}"
                    );
                }
            }
        }
    }
    assert_eq!(sandbox.gitlab.requests().len(), requests, "nobody was asked anything");
    assert_eq!(sandbox.token(), token, "H72");
}

/// Row H22.
#[test]
fn endless_questions_are_not_read_to_their_end() {
    let sandbox = linked_and_named();
    let token = sandbox.token();
    for input in [vec![b'x'; 128 << 20], format!("{NAMED}{}", "wwwauth[]=x\n".repeat(400_000)).into_bytes()] {
        // More than 64 MiB is refused by the system, and then Rust ends a program.
        let mut helper = sandbox.command("sh");
        helper.args(["-c", "ulimit -v 65536; exec \"$0\" get", crate::support::HELPER]);
        let got = crate::support::run::finish(helper, &input);
        assert_eq!((got.code, got.stdout.as_str()), (Some(1), ""), "{got:?}");
        assert!(got.stderr.contains("too many bytes") && is_one_line_at_most(&got.stderr), "{got:?}");
        assert!(got.took < std::time::Duration::from_secs(5), "{got:?}");
    }
    assert_eq!(sandbox.token(), token);
}
