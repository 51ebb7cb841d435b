//! Completions and man pages come from the command line's own description, and real shells take them.

use std::path::Path;

use gitlab_stand_in::{Application, Role, StandIn, Visibility};

use crate::accounts::two_accounts;
use crate::support::pty::Pty;
use crate::support::{HELPER, Sandbox, run};

/// A linked sandbox whose shells find our programs.
fn sandbox() -> Sandbox {
    with_programs(Sandbox::linked())
}

fn with_programs(mut sandbox: Sandbox) -> Sandbox {
    let programs = Path::new(HELPER).parent().expect("a directory").display().to_string();
    sandbox.set("PATH", format!("{programs}:{}", std::env::var("PATH").expect("it is set")));
    sandbox
}

/// What a shell prints for a script.
fn shell(sandbox: &Sandbox, program: &str, script: &str) -> String {
    let mut command = sandbox.command(program);
    if program == "bash" {
        command.args(["--norc", "--noprofile"]);
    }
    command.args(["-c", script]);
    run::finish(command, "").succeeded().stdout
}

/// What bash with git's completion proposes for a line.
fn bash(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "source /usr/share/bash-completion/completions/git\n\
         eval \"$(git-credential-gitlab completion bash)\"\n\
         COMP_WORDS=({}) COMP_CWORD={} COMP_LINE='{}' COMP_POINT={}\n\
         __git_wrap__git_main\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        words.len() - 1,
        words.join(" "),
        words.join(" ").len(),
    );
    shell(sandbox, "bash", &script).lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn bash_completes_verbs_flags_hosts_and_accounts() {
    let sandbox = sandbox();
    assert_eq!(bash(&sandbox, &["git", "credential-gitlab", "unl"]), ["unlink"]);
    assert_eq!(bash(&sandbox, &["git", "credential-gitlab", "link", "--sp"]), ["--spare"]);
    assert_eq!(bash(&sandbox, &["git", "credential-gitlab", "link", "--store", "f"]), ["file"]);
    assert_eq!(bash(&sandbox, &["git", "credential-gitlab", "unlink", "--account", ""]), ["alice"]);
    assert_eq!(bash(&sandbox, &["git", "credential-gitlab", "unlink", "ht"]), [sandbox.gitlab.url()]);
    assert_eq!(bash(&sandbox, &["git", "credential-gitlab", "import", "group/a"]), ["group/app"]);
    assert_eq!(bash(&sandbox, &["git", "-C", ".", "credential-gitlab", "daemon", "re"]), ["restart"]);
}

#[test]
fn bash_completes_an_address_behind_its_colons() {
    let mut sandbox = sandbox();
    sandbox.set("PS1", "ready> ");
    sandbox.set("TERM", "dumb");
    let mut bash = Pty::run(&sandbox, "stty cols 200 rows 24; exec bash --norc --noprofile -i");
    bash.wait_for("ready> ");
    bash.type_line("source /usr/share/bash-completion/completions/git");
    bash.type_line("eval \"$(git-credential-gitlab completion bash)\"; ran() { printf '%s ' ran: $@; echo .; }");
    // Whatever would be run is shown instead.
    bash.type_line("git() { ran git $@; }; git-credential-gitlab() { [ $1 = complete ] && command $FUNCNAME \"$@\" || ran itself $@; }");
    bash.type_line("echo is loaded | tr a-z A-Z");
    bash.wait_for("IS LOADED");
    let url = sandbox.gitlab.url().to_owned();
    let most = &url[..url.len() - 1];
    for begun in ["ht", "http:", most] {
        for (typed, whole) in [("git credential-gitlab", "git credential-gitlab"), ("git-credential-gitlab", "itself")]
        {
            bash.wait_for("ready> ");
            bash.press(&format!("{typed} unlink {begun}\t\r"));
            bash.wait_for_line(&format!("ran: {whole} unlink {url} ."));
        }
    }
    bash.type_line("exit");
    bash.finish();
}

#[test]
fn fish_completes_with_explanations() {
    let sandbox = sandbox();
    let propose = |line: &str| {
        let load = "git-credential-gitlab completion fish | source";
        shell(&sandbox, "fish", &format!("{load}; complete -C '{line}'"))
    };
    assert_eq!(propose("git credential-gitlab unl"), "unlink\tRevoke what was granted, and forget the account\n");
    assert_eq!(propose("git-credential-gitlab status --js"), "--json\tFor programs: the same as JSON\n");
    assert!(
        propose("git credential-gitlab use ").starts_with("alice\tat "),
        "{}",
        propose("git credential-gitlab use ")
    );
}

#[test]
fn zsh_completes_as_a_person_types() {
    let mut sandbox = sandbox();
    sandbox.set("TERM", "xterm");
    sandbox.set("PS1", "ready> ");
    let mut zsh = Pty::run(&sandbox, "stty cols 200 rows 24; exec zsh -f -i");
    zsh.wait_for("ready> "); // what is typed before is lost
    // Whatever would be run is shown instead.
    zsh.type_line("autoload -U compinit; compinit -u -D; git() { print -r -- ran: $@ }");
    zsh.type_line("eval \"$(git-credential-gitlab completion zsh)\"; print is loaded | tr a-z A-Z");
    zsh.wait_for("IS LOADED");
    let url = sandbox.gitlab.url().to_owned();
    for (typed, completed) in [
        ("unl", "unlink"),
        ("link --sp", "link --spare"),
        ("use al", "use alice"),
        ("import group/a", "import group/app"),
        ("unlink ht", &format!("unlink {url}")),
    ] {
        zsh.wait_for("ready> ");
        zsh.press(&format!("git credential-gitlab {typed}\t\r"));
        zsh.wait_for_line(&format!("ran: credential-gitlab {completed}"));
    }
    // Several are listed with what they mean.
    zsh.press("git credential-gitlab daemon st\t\t");
    zsh.wait_for("-- ");
    zsh.press("\u{15}"); // takes the line away
    zsh.type_line("exit");
    let (_, screen) = zsh.finish();
    assert!(!screen.contains("command not found"), "{screen}");
}

/// What the program proposes for the last word.
fn proposals(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let index = words.len().to_string();
    let told = sandbox.verb(["complete", &index, "git-credential-gitlab"].into_iter().chain(words.iter().copied()));
    told.succeeded().stdout.lines().map(|line| line.split('\t').next().expect("a word").to_owned()).collect()
}

#[test]
fn projects_and_groups_are_found_by_the_group_that_was_typed() {
    let sandbox = Sandbox::linked();
    let add = |path: &str| {
        sandbox.gitlab.add_project_without_repository(path, Visibility::Private);
        sandbox.gitlab.grant("alice", path, Role::Developer);
    };
    // More than a page of others, which were there before.
    (0..120).for_each(|number| add(&format!("many/p{number}")));
    ["low/app", "low/sub/tool"].iter().for_each(|path| add(path));
    sandbox.verb(["use", "alice", "--for", "lowest/of/all"]).succeeded();
    let url = sandbox.gitlab.url();
    for (words, expected) in [
        (&["import", "low/"][..], &["low/app", "low/sub/tool"][..]),
        (&["import", "low/s"], &["low/sub/tool"]),
        (&["import", "low"], &["low/app", "low/sub/tool"]),
        (&["import", "low/sub/to"], &["low/sub/tool"]),
        (&["import", "none/"], &[]),
        (&["import", "--group", "low"], &["low", "low/sub", "lowest/of/all"]),
        (&["repos", "--group", "low/"], &["low/sub"]),
        (&["use", "alice", "--for", "low/s"], &["low/sub", "low/sub/tool"]),
        (&["import", &format!("{url}/low/a")], &[&format!("{url}/low/app")]),
        (&["doctor", &format!("{url}/low/a")], &[&format!("{url}/low/app.git")]),
        (&["doctor", "ht"], &[url]),
    ] {
        assert_eq!(proposals(&sandbox, words), expected, "{words:?}");
    }
}

#[test]
fn the_host_and_the_account_that_were_typed_are_asked() {
    let sandbox = two_accounts();
    let other = StandIn::builder().start();
    other.add_user("carol", "Carol");
    other.add_project_without_repository("group/elsewhere", Visibility::Private);
    other.grant("carol", "group/elsewhere", Role::Owner);
    let id = other.add_application(Application::default()).client_id;
    sandbox.link_as("carol", [other.url(), "--client-id", &id, "--yes"]).succeeded();
    let (here, there) = (sandbox.gitlab.url(), other.url());
    for (words, expected) in [
        (&["import", "--host", there, "group/"][..], &["group/elsewhere"][..]),
        (&["import", "--host", here, "group/"], &["group/app"]),
        (&["import", "--host", here, "--account", "bob", "work/a"], &["work/api"]),
        (&["repos", there, "--group", "gro"], &["group"]),
        (&["repos", here, "--account", ""], &["alice", "bob"]),
        (&["token", "--account", "c"], &["carol"]),
    ] {
        assert_eq!(proposals(&sandbox, words), expected, "{words:?}");
    }
}

#[test]
fn completing_starts_no_daemon_and_never_fails() {
    let sandbox = Sandbox::new();
    let told = sandbox.verb(["complete", "2", "git-credential-gitlab", "unlink", ""]).succeeded();
    assert!(told.stdout.starts_with("--account"), "{told:?}");
    assert!(!sandbox.state().exists(), "nobody was started");
    for words in [&["complete", "99", "x"][..], &["complete", "0"], &["complete", "1", "x", "\u{1b}[2J"]] {
        assert_eq!(sandbox.verb(words.iter().copied()).succeeded().stderr, "");
    }
    for shell in ["bash", "zsh", "fish", "powershell"] {
        assert!(sandbox.verb(["completion", shell]).succeeded().stdout.contains("git-credential-gitlab complete"));
    }
}

#[test]
fn git_help_shows_the_man_page_and_there_is_one_for_every_verb() {
    let mut sandbox = with_programs(Sandbox::new());
    let pages = sandbox.path("share/man/man1");
    sandbox.verb(["man", pages.to_str().expect("text")]).succeeded();
    sandbox.set("MANPATH", sandbox.path("share/man"));
    sandbox.set("MANPAGER", "cat");
    sandbox.set("MANWIDTH", "200"); // no name is broken at the end of a line
    let page = sandbox.git(["help", "credential-gitlab"]).succeeded().stdout;
    assert!(page.contains("git-credential-gitlab-link(1)") && page.contains("Exit codes"), "{page}");
    let help = sandbox.verb(["help"]).succeeded().stdout;
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Two blanks before a name; more before the rest of a sentence.
    let verbs = verbs.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let verbs: Vec<&str> =
        verbs.filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help").collect();
    assert!(verbs.len() >= 9, "{verbs:?}");
    for verb in verbs {
        assert!(pages.join(format!("git-credential-gitlab-{verb}.1")).exists(), "{verb}");
    }
}
