//! Completions and man pages come from the command line's own description, and real shells take them.

use std::path::Path;

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
fn zsh_takes_the_script() {
    let sandbox = sandbox();
    let script = "autoload -U compinit; compinit -u -D; eval \"$(git-credential-gitlab completion zsh)\"\n\
                  _describe() { print -l -- \"${(@P)3}\" }\n\
                  words=(credential-gitlab unl) CURRENT=2; _git-credential-gitlab";
    let told = shell(&sandbox, "zsh", script);
    assert_eq!(told, "unlink:Revoke what was granted, and forget the account\n");
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
