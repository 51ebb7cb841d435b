//! Our entry in git's config, `credential.URL.helper`: put in, taken out, and nothing of anybody
//! else's changed.

use std::fmt;
use std::fs;
use std::path::Path;

use super::chain::Chain;
use super::error::Error;
use super::git_config::{Git, GitError, Scope};
use super::helper_list::{self, Edit, RESET};
use super::helper_path;
use super::terminal::Terminal;
use crate::idn;
use crate::instance::Instance;

/// The entry for one GitLab in one config file. It stands in a section for each spelling of the
/// GitLab's name: git applies to an address only what is spelled like it.
#[derive(Debug)]
pub(super) struct Entry {
    instance: Instance,
    scope: Scope,
    git: Git,
    terminal: Terminal,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in git's {} config", key(&self.instance.to_string()), self.scope)
    }
}

impl Entry {
    pub(super) fn new(instance: Instance, scope: Scope, terminal: Terminal) -> Self {
        Self { instance, scope, git: Git::new(terminal), terminal }
    }

    /// Whether git's config already has it.
    pub(super) fn is_in_place(&self) -> Result<bool, Error> {
        let ours = helper_path::value()?;
        for url in idn::spellings(&self.instance) {
            let values = self.git.values(self.scope, &key(&url))?;
            if helper_list::with_ours(&values, &ours) != values {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lets git ask us and nobody behind us, and says what was written where, and what is in the way.
    pub(super) fn add(&self) -> Result<(), Error> {
        let instance = &self.instance;
        for url in idn::spellings(instance) {
            let (key, ours) = (key(&url), helper_path::value()?);
            let others = self.put(&url, &ours)?;
            if self.is_thwarted_here()? {
                self.put_last(&url, &ours)?;
            }
            let file = self.git.file_of(self.scope, &key)?.unwrap_or_default();
            self.terminal
                .note(&format!("git is set up to ask git-credential-gitlab for {url} ({key} in {})", file.display()));
            if !others.is_empty() {
                let others = others.join(", ");
                self.terminal.note(&format!("other values of {key} stay there, but git does not ask them: {others}"));
            }
        }
        let settings = match self.git.helpers() {
            Ok(settings) => settings,
            Err(why) => {
                self.terminal.say(&format!("warning: whether another helper gets the token too is unknown: {why}"));
                return Ok(());
            }
        };
        for warning in Chain::of(&settings, instance).warnings(instance) {
            self.terminal.say(&format!("warning: {warning}"));
        }
        Ok(())
    }

    /// Puts our pair at the end of the values for a URL; the result is the other values.
    fn put(&self, url: &str, ours: &str) -> Result<Vec<String>, GitError> {
        let values = self.git.values(self.scope, &key(url))?;
        let wanted = helper_list::with_ours(&values, ours);
        self.change(url, &values, &wanted)?;
        let mut others = helper_list::without_ours(&wanted);
        others.retain(|value| value != RESET);
        Ok(others)
    }

    /// Whether a line of the same config, behind ours, empties the list or is told our tokens.
    fn is_thwarted_here(&self) -> Result<bool, GitError> {
        let settings = self.git.helpers_in(self.scope)?;
        let chain = Chain::of(&settings, &self.instance);
        Ok(!chain.asks_us() || chain.strangers().next().is_some())
    }

    /// Moves our pair behind everything in the file. git adds to the last section of a name, wherever
    /// that stands, so the pair gets a section under a name of its own, which then is renamed: git
    /// reads two sections of one name as one.
    fn put_last(&self, url: &str, ours: &str) -> Result<(), GitError> {
        let moving = format!("git-credential-gitlab.{url}");
        let helper = format!("{moving}.helper");
        if !self.git.values(self.scope, &helper)?.is_empty() {
            self.git.remove_section(self.scope, &moving)?; // of one who was interrupted
        }
        for value in [RESET, ours] {
            self.git.edit(self.scope, &helper, &Edit::Add(value.into()))?;
        }
        let values = self.git.values(self.scope, &key(url))?;
        self.change(url, &values, &helper_list::without_ours(&values))?;
        self.git.rename_section(self.scope, &moving, &section(url))
    }

    /// Takes our pair out, says so, and tells whether it was there.
    pub(super) fn remove(&self) -> Result<bool, Error> {
        let mut was_there = false;
        for url in idn::spellings(&self.instance) {
            was_there |= self.remove_from(&url)?;
        }
        Ok(was_there)
    }

    fn remove_from(&self, url: &str) -> Result<bool, Error> {
        let values = self.git.values(self.scope, &key(url))?;
        let others = helper_list::without_ours(&values);
        if others == values {
            return Ok(false);
        }
        let file = self.git.file_of(self.scope, &key(url))?.unwrap_or_default();
        // Removing line by line, git would take blank lines before the section along, and would
        // leave the header where a comment precedes it.
        match others.is_empty() && is_all_of_section(&file, url, values.len()) {
            true => self.git.remove_section(self.scope, &section(url))?,
            false => self.change(url, &values, &others)?,
        }
        self.terminal.note(&format!("git no longer asks git-credential-gitlab for {url} ({})", file.display()));
        Ok(true)
    }

    /// Writes the Application ID beside our entry, so that whoever reads this config need not
    /// know it.
    pub(super) fn set_client_id(&self, id: &str) -> Result<(), Error> {
        let (key, id) = (id_key(&self.instance), id.to_owned());
        let values = self.git.values(self.scope, &key)?;
        match values.last() {
            Some(last) if *last == id => return Ok(()),
            Some(last) => self.git.edit(self.scope, &key, &Edit::Replace { old: last.clone(), new: id })?,
            None => self.git.edit(self.scope, &key, &Edit::Add(id))?,
        }
        let (instance, link) = (&self.instance, self.instance.link_command());
        self.terminal.note(&format!("whoever reads that config can link {instance} by: {link}"));
        Ok(())
    }

    /// Takes this Application ID out again; tells whether it was there.
    pub(super) fn forget_client_id(&self, id: &str) -> Result<bool, Error> {
        let key = id_key(&self.instance);
        let there = self.git.values(self.scope, &key)?.iter().any(|value| value == id);
        if there {
            self.git.edit(self.scope, &key, &Edit::Remove(id.to_owned()))?;
        }
        Ok(there)
    }

    fn change(&self, url: &str, values: &[String], wanted: &[String]) -> Result<(), GitError> {
        let key = key(url);
        helper_list::edits(values, wanted).iter().try_for_each(|edit| self.git.edit(self.scope, &key, edit))
    }
}

/// The section that is for a URL alone.
fn section(url: &str) -> String {
    format!("credential.{url}")
}

fn key(url: &str) -> String {
    section(url) + ".helper"
}

fn id_key(instance: &Instance) -> String {
    format!("credential.{instance}.oauthClientId")
}

/// Whether so many helpers, a line each, are all that the file has in the URL's section: no
/// other key, and no comment or blank line, which would be removed with the section.
fn is_all_of_section(file: &Path, url: &str, helpers: usize) -> bool {
    let config = fs::read_to_string(file).unwrap_or_default();
    let header = format!("[credential \"{url}\"]\n");
    let mut around = config.split(&header);
    let (Some(_), Some(after), None) = (around.next(), around.next(), around.next()) else { return false };
    let mut section = after.lines().take_while(|line| !line.starts_with('['));
    section.clone().count() == helpers && section.all(|line| line.trim_start().starts_with("helper ="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::path::PathBuf;

    const URL: &str = "https://gitlab.example";
    const OURS: &str = "/opt/x/git-credential-gitlab";
    const SECTION: &str = "[credential \"https://gitlab.example\"]\n";

    /// A home directory with a config file of its own.
    struct Home {
        directory: tempfile::TempDir,
    }

    impl Home {
        fn with(config: &str) -> Self {
            let home = Self { directory: tempfile::tempdir().expect("a directory") };
            fs::write(home.file(), config).expect("written");
            home
        }

        fn file(&self) -> PathBuf {
            self.directory.path().join(".gitconfig")
        }

        fn config(&self) -> String {
            fs::read_to_string(self.file()).expect("a config file")
        }

        fn entry(&self) -> Entry {
            let terminal = Terminal::new(true, false);
            let home = self.directory.path().as_os_str().to_owned();
            let environment = vec![
                ("HOME", home.clone()),
                ("XDG_CONFIG_HOME", home),
                ("GIT_CONFIG_NOSYSTEM", OsString::from("1")),
                ("GIT_CONFIG_GLOBAL", self.file().into_os_string()),
            ];
            let instance = Instance::parse("gitlab.example").expect("a host");
            Entry { instance, scope: Scope::Global, git: Git::in_environment(environment, terminal), terminal }
        }

        fn put(&self, ours: &str) -> Vec<String> {
            self.entry().put(URL, ours).expect("put")
        }

        fn remove(&self) -> bool {
            self.entry().remove().expect("removed")
        }
    }

    const THEIRS: &str = "# mine\n[user]\n  name=Alice ; not git's style\n[credential]\n\thelper = store\n";

    #[test]
    fn our_pair_comes_behind_everything_and_goes_without_a_trace() {
        for theirs in [THEIRS, "", "[a]\n\tb = c\n# the end\n", "[a]\n\tb = c\n\n\n", "# only a comment\n"] {
            let home = Home::with(theirs);
            assert_eq!(home.put(OURS), Vec::<String>::new());
            assert_eq!(home.config(), format!("{theirs}{SECTION}\thelper = \n\thelper = {OURS}\n"));
            assert!(home.remove());
            assert_eq!(home.config(), theirs);
            assert!(!home.remove());
        }
    }

    #[test]
    fn a_second_time_changes_nothing() {
        let home = Home::with(THEIRS);
        home.put(OURS);
        let once = home.config();
        home.put(OURS);
        assert_eq!(home.config(), once);
    }

    #[test]
    fn an_older_path_is_replaced_in_its_line() {
        let before = format!("{SECTION}\thelper =\n\thelper = /old/git-credential-gitlab # by hand\n{THEIRS}");
        let home = Home::with(&before);
        home.put(OURS);
        let after = format!("{SECTION}\thelper =\n\thelper = {OURS}\n{THEIRS}");
        assert_eq!(home.config(), after);
    }

    #[test]
    fn other_values_of_the_key_stay() {
        let before = format!("{SECTION}\thelper = store # theirs\n\tusername = alice\n");
        let home = Home::with(&before);
        assert_eq!(home.put(OURS), ["store"]);
        assert_eq!(home.config(), format!("{before}\thelper = \n\thelper = {OURS}\n"));
        assert!(home.remove());
        assert_eq!(home.config(), before);
    }

    #[test]
    fn of_two_empty_values_ours_is_removed() {
        let before = format!("{SECTION}\thelper = \n\thelper = -store\n");
        let home = Home::with(&before);
        home.put(OURS);
        assert!(home.remove());
        assert_eq!(home.config(), before);
    }

    #[test]
    fn a_comment_in_our_section_stays() {
        let home = Home::with("");
        home.put(OURS);
        let config = home.config() + "# about aliases\n[alias]\n\tx = y\n";
        fs::write(home.file(), &config).expect("written");
        assert!(home.remove());
        assert_eq!(home.config(), format!("{SECTION}# about aliases\n[alias]\n\tx = y\n"));
    }

    #[test]
    fn our_pair_moves_behind_everything_and_the_rest_of_its_section_stays() {
        let home = Home::with("");
        home.put(OURS);
        let rest = "\tuseHttpPath = true\n[credential]\n\thelper = store # mine\n";
        fs::write(home.file(), home.config() + rest).expect("written");
        let entry = home.entry();
        assert!(entry.is_thwarted_here().expect("read"));
        entry.put_last(URL, OURS).expect("moved");
        let after = format!("{SECTION}{rest}{SECTION}\thelper = \n\thelper = {OURS}\n");
        assert_eq!(home.config(), after);
        assert!(!entry.is_thwarted_here().expect("read"));
        assert!(home.remove());
        assert_eq!(home.config(), format!("{SECTION}{rest}"));
    }

    #[test]
    fn a_path_with_blanks_and_quotes_reads_back() {
        let home = Home::with("");
        let path = "/a b/it's #1; \"x\"/git-credential-gitlab";
        let value = helper_path::to_value(path.as_ref()).expect("a value");
        home.put(&value);
        let entry = home.entry();
        assert_eq!(entry.git.values(Scope::Global, &key(URL)).expect("read"), ["", &value]);
        assert!(home.remove());
        assert_eq!(home.config(), "");
    }

    #[test]
    fn a_broken_file_is_left_alone_and_named() {
        let broken = "[user]\n\tname = \"Alice\n[oops\n";
        let home = Home::with(broken);
        let why = home.entry().put(URL, OURS).expect_err("broken").to_string();
        assert!(why.contains("line 2") && why.contains(".gitconfig"), "{why}");
        assert!(home.entry().remove().is_err());
        assert_eq!(home.config(), broken);
    }

    #[test]
    fn where_there_is_no_git_that_is_said() {
        let mut entry = Home::with("").entry();
        entry.git = Git::in_environment(vec![("PATH", "/nonexistent".into())], entry.terminal);
        assert!(matches!(entry.put(URL, OURS), Err(GitError::Missing)));
    }

    #[test]
    fn the_chain_is_read_in_the_order_of_the_file() {
        let home = Home::with("");
        home.put(OURS);
        let config =
            home.config() + "[credential]\n\thelper = store\n[credential \"https://other.example\"]\n\thelper = x\n";
        fs::write(home.file(), &config).expect("written");
        let entry = home.entry();
        let settings = entry.git.helpers().expect("read");
        let warnings = Chain::of(&settings, &entry.instance).warnings(&entry.instance);
        let file = home.file().display().to_string();
        let expected = format!(
            "git also gives the tokens of https://gitlab.example to the helper \"store\" (credential.helper in {file}), \
             because it comes later; move that line above [credential \"https://gitlab.example\"]"
        );
        assert_eq!(warnings, [expected]);
    }
}
