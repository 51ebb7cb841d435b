//! A clone on its way: a directory beside the place where it belongs, which it takes when it is
//! whole. Whoever makes one holds a lock in it, so one that nobody holds was left by a crash.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Stands in the names of all of them.
const MARK: &str = ".part-";

/// How much of a project's name is in that of its part: the rest of the 255 bytes is ours.
const NAME_IN_PART: usize = 180;

/// The file that is locked.
const LOCK: &str = "lock";

/// Another import that tidies up may take a part for a stale one before it is locked. That it
/// does so twice in a row has not been seen.
const TRIES: usize = 5;

/// Whether a directory of this name is a part.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with('.') && name.contains(MARK)
}

fn prefix(name: &str) -> String {
    let end = name.len().min(NAME_IN_PART); // project names are ASCII
    format!(".{}{MARK}", &name[..end])
}

/// A part that is ours. What is still in it goes when it is dropped.
#[derive(Debug)]
pub(super) struct Part {
    directory: PathBuf,
    name: String,
    lock: Option<File>,
}

impl Part {
    /// A part for a project of this name, beside it.
    pub(super) fn new(parent: &Path, name: &str) -> io::Result<Self> {
        let mut last = io::Error::other("no temporary directory could be made");
        for _ in 0..TRIES {
            match Self::try_new(parent, name) {
                Ok(part) => return Ok(part),
                Err(why) if matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => last = why,
                Err(why) => return Err(why),
            }
        }
        Err(last)
    }

    fn try_new(parent: &Path, name: &str) -> io::Result<Self> {
        let moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let directory = parent.join(format!("{}{:x}-{moment:x}", prefix(name), std::process::id()));
        // Fails where anything has that name, a symbolic link too.
        fs::create_dir(&directory)?;
        let lock = File::create_new(directory.join(LOCK))?;
        match lock.lock() {
            // There are disks without locks. What a crash leaves on them is left.
            Err(why) if why.kind() != io::ErrorKind::Unsupported => return Err(why),
            _ => {}
        }
        // Whoever held the lock before us has taken the file away.
        fs::symlink_metadata(directory.join(LOCK))?;
        Ok(Self { directory, name: name.to_owned(), lock: Some(lock) })
    }

    /// Where git clones to. It has the project's name already, because git config may say
    /// something about directories by their names (`includeIf`).
    pub(super) fn clone(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    /// Removes what a try has left.
    pub(super) fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.clone()) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(why),
            _ => Ok(()),
        }
    }

    /// Puts the clone where it belongs. An empty directory there gives way, as with git clone.
    pub(super) fn finish(self, target: &Path) -> io::Result<()> {
        let _ = fs::remove_dir(target); // takes away an empty directory, and nothing else
        match fs::symlink_metadata(target) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(self.clone(), target),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.lock.take()); // Windows removes no file that is open
        let _ = fs::remove_dir_all(&self.directory); // what can't be removed now is stale next time
    }
}

/// Removes the parts of a project that nobody works at.
pub(super) fn clear_stale(parent: &Path, name: &str) -> io::Result<()> {
    let prefix = prefix(name);
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let is_its = entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix));
        if !is_its || !entry.file_type()?.is_dir() {
            continue;
        }
        let directory = entry.path();
        let held = File::open(directory.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_err());
        let ours = directory.join(LOCK).is_file();
        match (held, ours) {
            (true, _) => {}
            (false, true) => fs::remove_dir_all(&directory)?,
            // Just made, or left before it was locked; or not ours, then it is not empty.
            (false, false) => drop(fs::remove_dir(&directory)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("readable");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_clone_appears_when_it_is_whole_and_its_part_goes() {
        let home = tempfile::tempdir().expect("a directory");
        let part = Part::new(home.path(), "app").expect("a part");
        fs::create_dir_all(part.clone().join("sub")).expect("made");
        assert_eq!(names(home.path()).len(), 1);
        part.finish(&home.path().join("app")).expect("moved");
        assert_eq!(names(home.path()), ["app"]);
        assert!(home.path().join("app/sub").is_dir());
    }

    #[test]
    fn what_is_there_is_never_replaced() {
        for there in ["file", "link", "directory"] {
            let home = tempfile::tempdir().expect("a directory");
            let target = home.path().join("app");
            match there {
                "file" => fs::write(&target, "mine").expect("written"),
                #[cfg(unix)]
                "link" => std::os::unix::fs::symlink(home.path(), &target).expect("linked"),
                _ => fs::create_dir_all(target.join("mine")).expect("made"),
            }
            let part = Part::new(home.path(), "app").expect("a part");
            fs::create_dir(part.clone()).expect("made");
            let why = part.finish(&target).expect_err(there);
            assert_eq!(why.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(names(home.path()), ["app"], "{there}");
        }
    }

    #[test]
    fn only_parts_that_nobody_holds_are_stale() {
        let home = tempfile::tempdir().expect("a directory");
        let held = Part::new(home.path(), "app").expect("a part");
        let stale = home.path().join(".app.part-1-2");
        fs::create_dir_all(stale.join("app/.git")).expect("made");
        fs::write(stale.join(LOCK), "").expect("written");
        fs::create_dir(home.path().join(".app.part-empty")).expect("made");
        for other in [".apps.part-1-2", ".app.part-mine/x"] {
            fs::create_dir_all(home.path().join(other)).expect("made");
        }
        clear_stale(home.path(), "app").expect("cleared");
        let held = held.directory.file_name().expect("a name").to_string_lossy().into_owned();
        let mut expected = vec![held, ".app.part-mine".into(), ".apps.part-1-2".into()];
        expected.sort();
        assert_eq!(names(home.path()), expected);
    }

    #[test]
    fn the_name_of_a_part_fits_on_every_disk() {
        let home = tempfile::tempdir().expect("a directory");
        let name = "x".repeat(255);
        let part = Part::new(home.path(), &name).expect("a part");
        fs::create_dir(part.clone()).expect("made");
        part.finish(&home.path().join(&name)).expect("moved");
        assert_eq!(names(home.path()), [name]);
    }
}
