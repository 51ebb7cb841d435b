//! `import` on a terminal: bars, and a list to choose from.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gitlab_stand_in::{Endpoint, Fault, Role, Visibility, What};

use crate::accounts::push;
use crate::importing::{below, with_projects};
use crate::support::pty::Pty;
use crate::support::{HELPER, PATIENCE, Sandbox};

/// Imports on a terminal that is so wide.
fn on_terminal(sandbox: &mut Sandbox, columns: u16, words: &str) -> Pty {
    sandbox.set("TERM", "xterm");
    let src: PathBuf = sandbox.path("src");
    Pty::run(sandbox, &format!("stty cols {columns} rows 24; {HELPER} import --dir {} {words}", src.display()))
}

#[test]
fn a_terminal_shows_bars_that_fit_and_no_colour() {
    for columns in [80, 40] {
        let mut sandbox = with_projects(&["group/a-name-that-is-quite-long-for-a-small-terminal-and-goes-on-and-on"]);
        let slow = What::Delay(Duration::from_millis(200));
        sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Git, slow) });
        let mut pty = on_terminal(&mut sandbox, columns, "--group group");
        pty.wait_for("of 2 done");
        let (code, screen) = pty.finish();
        assert_eq!(code, Some(0), "{screen}");
        assert_eq!(screen.contains("starting ["), columns == 80, "{screen}");
        assert!(
            screen.contains("cloned group/app in ") && screen.contains("cloned 2, present 0, failed 0"),
            "{screen}"
        );
        // Each bar fills its line, and none goes on in the next: the percent sign ends the line.
        for line in screen.replace("\u{1b}[2K", "").split(['\r', '\n', '\u{1b}']) {
            let line = line.trim_start_matches(|c: char| c == '[' || c.is_ascii_digit() || c == 'A'); // up so many
            for (at, _) in line.match_indices('%') {
                assert_eq!((at + 1) % usize::from(columns), 0, "{line:?}");
            }
        }
        assert!(!screen.contains("\u{1b}[3") && screen.is_ascii(), "{screen:?}");
    }
}

/// The number before the last percent sign.
fn percent(screen: &str) -> Option<u8> {
    screen.rsplit_once('%')?.0.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_bar_shows_how_much_of_a_repository_has_come() {
    use std::os::unix::fs::PermissionsExt;
    let mut sandbox = Sandbox::linked();
    // Files that don't shrink, so that half of the pack is about half of the objects.
    let big = sandbox.clone("group/app", "big");
    let mut noise = fs::File::open("/dev/urandom").expect("it is there");
    for number in 0..200 {
        let mut bytes = [0; 2000];
        noise.read_exact(&mut bytes).expect("endless");
        fs::write(big.join(format!("file{number}")), bytes).expect("written");
    }
    sandbox.git_in(&big, ["add", "."]).succeeded();
    push(&sandbox, &big).succeeded();
    // The server sends one half, and the other when it is let.
    let (hook, go) = (sandbox.path("hook"), sandbox.path("go"));
    let script = format!(
        "#!/bin/sh\n\"$@\" >'{0}.pack'\nhead -c 200000 '{0}.pack'\n\
         while ! [ -e '{1}' ]; do sleep 0.05; done\ntail -c +200001 '{0}.pack'\n",
        hook.display(),
        go.display()
    );
    fs::write(&hook, script).expect("written");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("set");
    let repository = sandbox.gitlab.repository_path("group/app");
    let home = repository.parent().and_then(Path::parent).expect("git's home there");
    let config = format!("[uploadpack]\n\tpackObjectsHook = {}\n", hook.display());
    fs::write(home.join(".gitconfig"), config).expect("written");
    let mut pty = on_terminal(&mut sandbox, 80, "group/app");
    pty.wait_for("receiving [");
    while !percent(&pty.screen).is_some_and(|percent| (20..80).contains(&percent)) {
        pty.wait_for("%");
    }
    fs::write(&go, "").expect("written");
    let (code, screen) = pty.finish();
    assert!(code == Some(0) && screen.contains("cloned group/app in "), "{screen}");
    assert!(sandbox.path("src/group/app/file199").is_file());
}

#[test]
fn on_a_terminal_projects_are_chosen_from_a_list() {
    let mut sandbox = with_projects(&["group/sub/tool", "other/lib"]);
    let mut pty = on_terminal(&mut sandbox, 80, "");
    pty.wait_for("Import which projects?");
    pty.wait_for("other/lib");
    pty.wait_for("Esc to leave");
    pty.press("gstool");
    pty.press(" ");
    pty.press("\r");
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(below(&sandbox.path("src")), ["group", "group/sub", "group/sub/tool"], "{screen}");
}

#[test]
fn whoever_presses_enter_without_having_chosen_is_told_how_to() {
    let mut sandbox = with_projects(&["group/tool"]);
    let mut pty = on_terminal(&mut sandbox, 80, "");
    pty.wait_for("Esc to leave");
    pty.press("\r");
    pty.wait_for("the space bar chooses the project under the cursor");
    pty.press(" \r");
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(below(&sandbox.path("src")), ["group", "group/app"], "{screen}");
}

#[test]
fn while_the_list_comes_it_is_counted_and_then_shown_with_roles() {
    let mut sandbox = Sandbox::linked();
    (0..250).for_each(|number| {
        sandbox.gitlab.add_project_without_repository(&format!("many/p{number}"), Visibility::Private);
    });
    sandbox.gitlab.grant("alice", "many", Role::Developer);
    // The first page comes, and the next one not before somebody has seen that.
    sandbox.gitlab.fault(Fault::once(Endpoint::Api, What::Delay(Duration::ZERO)));
    sandbox.gitlab.fault(Fault::once(Endpoint::Api, What::Silence));
    let mut pty = on_terminal(&mut sandbox, 80, "");
    pty.wait_for(&format!("asking {} for projects: 100 so far", sandbox.gitlab.url()));
    pty.press("\u{3}");
    pty.finish();
    sandbox.gitlab.clear_faults();
    let mut pty = on_terminal(&mut sandbox, 80, "");
    for part in ["Import which projects? (251)", "group/app  maintainer", "many/p0  developer", "Esc to leave"] {
        pty.wait_for(part);
    }
    pty.press("\u{1b}");
    let (code, screen) = pty.finish();
    assert!(code == Some(0) && screen.contains("nothing was chosen"), "{screen}");
}

#[test]
fn where_there_is_nothing_to_choose_from_that_is_said() {
    let mut sandbox = Sandbox::new();
    sandbox.gitlab.add_user("newcomer", "New Comer");
    crate::accounts::link(&sandbox, "newcomer", &[]).succeeded();
    let (code, screen) = on_terminal(&mut sandbox, 80, "").finish();
    assert_eq!(code, Some(1), "{screen}");
    assert!(screen.contains(&format!("there is no project that you reach at {}", sandbox.gitlab.url())), "{screen}");
}

#[test]
fn a_person_who_thinks_better_of_it_imports_nothing() {
    for (keys, code) in [("\u{1b}", 0), ("\u{3}", 130)] {
        let mut sandbox = Sandbox::linked();
        let mut pty = on_terminal(&mut sandbox, 40, "");
        pty.wait_for("Esc to leave");
        pty.press(keys);
        let (ended, screen) = pty.finish();
        assert_eq!(ended, Some(code), "{screen:?}");
        assert!(!sandbox.path("src").exists());
        let (hidden, shown) = (screen.rfind("\u{1b}[?25l"), screen.rfind("\u{1b}[?25h"));
        assert!(hidden <= shown, "the cursor is back: {screen:?}");
    }
}

#[test]
fn ctrl_c_on_a_terminal_ends_everything() {
    let mut sandbox = with_projects(&["group/tool"]);
    sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Git, What::Silence) });
    let mut pty = on_terminal(&mut sandbox, 80, "group/app group/tool");
    assert!(sandbox.gitlab.wait_until(PATIENCE, |requests| {
        requests.iter().filter(|request| request.endpoint == Endpoint::Git).count() >= 2
    }));
    pty.press("\u{3}");
    pty.wait_for("not done 2; to go on:\r\ngit credential-gitlab import --dir");
    let (code, screen) = pty.finish();
    assert_eq!(code, Some(130), "{screen}");
    assert!(!sandbox.path("src").exists(), "{:?}", below(&sandbox.path("src")));
}

#[test]
fn lines_that_go_through_a_pipe_are_not_mixed_with_bars() {
    for words in ["--group group", "--group group --json"] {
        let mut sandbox = with_projects(&["group/tool"]);
        let slow = What::Delay(Duration::from_millis(200));
        sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Git, slow) });
        let (code, screen) = on_terminal(&mut sandbox, 80, &format!("{words} | cat")).finish();
        assert_eq!(code, Some(0), "{screen}");
        assert!(!screen.contains("starting") && !screen.contains("of 2 done"), "{screen:?}");
        assert!(screen.contains("cloned 2, present 0, failed 0"), "{screen:?}");
    }
}

#[test]
fn what_was_drawn_is_gone_when_it_is_stopped() {
    let mut sandbox = with_projects(&["group/tool"]);
    sandbox.gitlab.fault(Fault { times: None, ..Fault::once(Endpoint::Git, What::Silence) });
    let mut pty = on_terminal(&mut sandbox, 80, "group/app group/tool");
    pty.wait_for("of 2 done");
    assert!(sandbox.gitlab.wait_until(PATIENCE, |requests| {
        requests.iter().filter(|request| request.endpoint == Endpoint::Git).count() >= 2
    }));
    pty.press("\u{3}");
    pty.wait_for("not done 2; to go on");
    let (_, screen) = pty.finish();
    let left = lines_left(&screen);
    assert!(left.iter().all(|line| !line.contains('%') && !line.contains(" of 2 done")), "{left:?} of {screen:?}");
}

/// What a terminal of 80 columns shows in the end, of what was written to it: as far as bars need it.
fn lines_left(screen: &str) -> Vec<String> {
    const COLUMNS: usize = 80;
    let (mut lines, mut row, mut column) = (vec![Vec::new()], 0_usize, 0_usize);
    let mut chars = screen.chars();
    while let Some(c) = chars.next() {
        match c {
            '\r' => column = 0,
            '\n' => row += 1,
            '\u{1b}' => {
                let mut sequence = String::new();
                for c in chars.by_ref().skip(1) {
                    sequence.push(c);
                    if c.is_ascii_alphabetic() {
                        break;
                    }
                }
                let (number, kind) = sequence.split_at(sequence.len().saturating_sub(1));
                match kind {
                    "A" => row = row.saturating_sub(number.parse().unwrap_or(1)),
                    "B" => row += number.parse().unwrap_or(1),
                    "K" => lines[row].clear(),
                    "J" => lines.truncate(row + 1),
                    _ => {}
                }
            }
            c => {
                if column == COLUMNS {
                    (row, column) = (row + 1, 0);
                    lines.resize(lines.len().max(row + 1), Vec::new());
                }
                let length = lines[row].len().max(column + 1);
                lines[row].resize(length, ' ');
                lines[row][column] = c;
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), Vec::new());
    }
    lines.into_iter().map(|line| line.into_iter().collect()).collect()
}
