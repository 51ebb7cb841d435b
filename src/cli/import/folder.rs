//! The directory that projects are imported to. Nothing is ever made outside of it: not through
//! names, which `layout` has checked, nor through symbolic links, which are not followed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::named;
use crate::instance::Instance;

/// `--dir`.
#[derive(Debug)]
pub(super) struct Folder {
    /// As the person typed it, for showing.
    typed: PathBuf,
    /// Where it really is: a link to it is the person's own.
    path: PathBuf,
    /// What was made here and may be empty in the end.
    made: Mutex<BTreeSet<PathBuf>>,
}

/// What is where a project belongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum There {
    /// Nothing, or an empty directory.
    Nothing,
    /// A clone of the project, and which of its remotes that is.
    Clone(Remote),
    /// Something else, as the end of a sentence: "a clone of …".
    Other(String),
}

/// A remote of a clone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) name: String,
    pub(super) url: String,
}

impl Folder {
    /// Opens the directory, and makes it if need be.
    pub(super) fn open(typed: &Path) -> io::Result<Self> {
        let mut missing: Vec<&Path> = typed.ancestors().take_while(|path| is_missing(path)).collect();
        let mut made = BTreeSet::new();
        while let Some(path) = missing.pop() {
            match fs::create_dir(path) {
                Ok(()) => {
                    made.insert(path.canonicalize()?);
                }
                Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {} // `new/..`, or somebody was faster
                Err(why) => return Err(why),
            }
        }
        Ok(Self { typed: typed.into(), path: typed.canonicalize()?, made: Mutex::new(made) })
    }

    /// The directory of a project, for showing.
    pub(super) fn shown(&self, directories: &Path) -> PathBuf {
        self.typed.join(directories)
    }

    /// The directory of a project; those above it exist when this returns.
    pub(super) fn prepare(&self, directories: &Path) -> Result<PathBuf, String> {
        let mut path = self.path.clone();
        for name in directories.parent().into_iter().flat_map(Path::components) {
            path.push(name);
            self.enter(&path)?;
        }
        Ok(path.join(directories.file_name().expect("a project has a name")))
    }

    fn enter(&self, path: &Path) -> Result<(), String> {
        let shown = path.display();
        match fs::create_dir(path) {
            Ok(()) => {
                self.made.lock().expect("nobody panics here").insert(path.to_owned());
                return Ok(());
            }
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(format!("the directory {shown} can't be made: {why}")),
        }
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => Err(format!("{shown} is a symbolic link, which is not followed")),
            Ok(found) if !found.is_dir() => Err(format!("{shown} is a file")),
            Ok(_) if path.join(".git").exists() => {
                Err(format!("{shown} is a git repository, and nothing is put into it"))
            }
            Ok(_) => Ok(()),
            Err(why) => Err(format!("{shown}: {why}")),
        }
    }

    /// Removes directories that were made and are empty: their projects could not be cloned.
    pub(super) fn tidy(&self) {
        let made = self.made.lock().expect("nobody panics here");
        for path in made.iter().rev() {
            let _ = fs::remove_dir(path); // takes away an empty directory, and nothing else
        }
    }
}

fn is_missing(path: &Path) -> bool {
    !path.as_os_str().is_empty() && fs::symlink_metadata(path).is_err_and(|why| why.kind() == io::ErrorKind::NotFound)
}

/// Looks at where a project belongs.
pub(super) fn look(target: &Path, instance: &Instance, path: &str) -> io::Result<There> {
    match fs::symlink_metadata(target) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(There::Nothing),
        Err(why) => return Err(why),
        Ok(found) if found.is_symlink() => return Ok(There::Other("a symbolic link".into())),
        Ok(found) if !found.is_dir() => return Ok(There::Other("a file".into())),
        Ok(_) => {}
    }
    if fs::read_dir(target)?.next().is_none() {
        return Ok(There::Nothing);
    }
    let Some(config) = config_of(target) else {
        return Ok(There::Other("a directory with something else in it".into()));
    };
    let mut remotes = remotes(&config)?;
    let linked = [instance.clone()];
    let is_it = |remote: &Remote| {
        let named = named::read(&remote.url, &linked);
        named.is_ok_and(|it| it.instance.as_ref() == Some(instance) && it.path.eq_ignore_ascii_case(path))
    };
    Ok(match remotes.iter().position(is_it) {
        Some(at) => There::Clone(remotes.swap_remove(at)),
        None => There::Other(match remotes.first().and_then(|remote| named::without_user(&remote.url)) {
            Some(remote) => format!("a clone of {remote}"),
            None => "a git repository with another remote, or none".into(),
        }),
    })
}

/// The config file of the repository whose files are in a directory. In a worktree or a submodule
/// `.git` is a file that names the repository's directory, and that of a worktree names another.
fn config_of(directory: &Path) -> Option<PathBuf> {
    let git = directory.join(".git");
    let repository = match git.is_file() {
        true => directory.join(fs::read_to_string(&git).ok()?.strip_prefix("gitdir:")?.trim()),
        false => git,
    };
    let shared = fs::read_to_string(repository.join("commondir"));
    let repository = shared.map(|common| repository.join(common.trim())).unwrap_or(repository);
    Some(repository.join("config")).filter(|config| config.is_file())
}

/// The remotes' addresses, as the file has them: no other file, no `insteadOf`, and no question
/// whose repository it is.
fn remotes(config: &Path) -> io::Result<Vec<Remote>> {
    let mut git = Command::new("git");
    git.args(["config", "-z", "--file"]).arg(config).args(["--get-regexp", r"^remote\..*\.url$"]);
    git.stdin(Stdio::null()).stderr(Stdio::null());
    let output = git.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let remote = |entry: &str| {
        let (key, url) = entry.split_once('\n')?;
        let name = key.strip_prefix("remote.")?.strip_suffix(".url")?;
        Some(Remote { name: name.into(), url: url.into() })
    };
    Ok(text.split_terminator('\0').filter_map(remote).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_below_and_go_if_they_stay_empty() {
        let home = tempfile::tempdir().expect("a directory");
        let folder = Folder::open(&home.path().join("new/src")).expect("opened");
        let target = folder.prepare(Path::new("group/sub/app")).expect("prepared");
        assert!(target.parent().is_some_and(Path::is_dir) && !target.exists());
        folder.prepare(Path::new("group/other")).expect("prepared");
        fs::write(folder.path.join("group/kept"), "").expect("written");
        folder.tidy();
        assert!(!folder.path.join("group/sub").exists() && folder.path.join("group/kept").exists());
        fs::remove_file(folder.path.join("group/kept")).expect("removed");
        folder.tidy();
        assert!(home.path().exists() && !home.path().join("new").exists());
    }

    #[cfg(unix)]
    #[test]
    fn links_files_and_repositories_are_not_entered() {
        let home = tempfile::tempdir().expect("a directory");
        let outside = home.path().join("outside");
        fs::create_dir(&outside).expect("made");
        let folder = Folder::open(&home.path().join("src")).expect("opened");
        std::os::unix::fs::symlink(&outside, folder.path.join("link")).expect("linked");
        std::os::unix::fs::symlink("nowhere", folder.path.join("dangling")).expect("linked");
        fs::write(folder.path.join("file"), "").expect("written");
        fs::create_dir_all(folder.path.join("app/.git")).expect("made");
        for (directories, why) in [
            ("link/app", "symbolic link"),
            ("dangling/app", "symbolic link"),
            ("file/app", "is a file"),
            ("app/lib", "git repository"),
        ] {
            let told = folder.prepare(Path::new(directories)).expect_err(directories);
            assert!(told.contains(why), "{told}");
        }
        assert_eq!(fs::read_dir(&outside).expect("readable").count(), 0);
    }

    #[test]
    fn a_clone_is_known_by_its_remote() {
        let home = tempfile::tempdir().expect("a directory");
        let target = home.path().join("app");
        let instance = Instance::parse("gitlab.example").expect("a host");
        let look = || look(&target, &instance, "group/app").expect("looked");
        assert_eq!(look(), There::Nothing);
        fs::create_dir(&target).expect("made");
        assert_eq!(look(), There::Nothing);
        fs::create_dir(target.join(".git")).expect("made");
        assert!(matches!(look(), There::Other(_)));
        for (remote, known) in [
            ("https://gitlab.example/group/app.git", true),
            ("https://bob@gitlab.example/Group/App", true),
            ("git@gitlab.example:group/app.git", true),
            ("https://gitlab.example/group/app2.git", false),
            ("https://other.example/group/app.git", false),
            ("/srv/group/app.git", false),
        ] {
            fs::write(target.join(".git/config"), format!("[remote \"x\"]\n\turl = {remote}\n")).expect("written");
            let expected = There::Clone(Remote { name: "x".into(), url: remote.into() });
            assert_eq!(look() == expected, known, "{remote}");
        }
        let url = "https://bob:hunter2@other.example/group/app.git";
        fs::write(target.join(".git/config"), format!("[remote \"x\"]\n\turl = {url}\n")).expect("written");
        assert_eq!(look(), There::Other("a clone of https://other.example/group/app.git".into()));
    }

    #[test]
    fn worktrees_and_submodules_are_clones_too() {
        let home = tempfile::tempdir().expect("a directory");
        let instance = Instance::parse("gitlab.example").expect("a host");
        let target = home.path().join("src/app");
        let repository = home.path().join("main/.git");
        fs::create_dir_all(repository.join("worktrees/app")).expect("made");
        fs::create_dir_all(&target).expect("made");
        fs::write(repository.join("config"), "[remote \"o\"]\n\turl = https://gitlab.example/group/app\n")
            .expect("written");
        fs::write(repository.join("worktrees/app/commondir"), "../..\n").expect("written");
        for named in ["gitdir: ../../main/.git", "gitdir: ../../main/.git/worktrees/app\n"] {
            fs::write(target.join(".git"), named).expect("written");
            assert!(matches!(look(&target, &instance, "group/app"), Ok(There::Clone(_))), "{named}");
        }
        for other in ["gitdir: nowhere", "no repository", ""] {
            fs::write(target.join(".git"), other).expect("written");
            assert!(matches!(look(&target, &instance, "group/app"), Ok(There::Other(_))), "{other}");
        }
    }
}
