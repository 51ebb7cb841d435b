//! A project as the daemon describes it, and its forms for programs. The JSON's fields and the
//! order of the cells are a promise to scripts: add, never rename.

use serde_json::json;

use super::call::{needed, number, text};
use super::error::Error;
use crate::credential::Attributes;

/// One project.
#[derive(Debug, Clone)]
pub(super) struct Project {
    pub(super) path: String,
    pub(super) name: String,
    pub(super) http_url: String,
    pub(super) web_url: String,
    /// GitLab's number of the role, if it is known.
    pub(super) access_level: Option<u32>,
    /// The word for it.
    pub(super) access: String,
    pub(super) visibility: String,
    pub(super) archived: bool,
    pub(super) default_branch: Option<String>,
    /// RFC 3339.
    pub(super) last_activity_at: Option<String>,
}

impl Project {
    pub(super) fn in_block(block: &Attributes) -> Result<Self, Error> {
        Ok(Self {
            path: needed(block, "path")?,
            name: text(block, "name"),
            http_url: needed(block, "http_url")?,
            web_url: text(block, "web_url"),
            access_level: number(block, "access_level"),
            access: needed(block, "access")?,
            visibility: text(block, "visibility"),
            archived: block.flag("archived"),
            default_branch: block.text("default_branch").map(str::to_owned),
            last_activity_at: block.text("last_activity_at").map(str::to_owned),
        })
    }

    /// For scripts that read lines. No cell is empty, so `awk` counts them right.
    pub(super) fn cells(&self) -> [&str; 5] {
        let activity = self.last_activity_at.as_deref().unwrap_or("-");
        [&self.path, &self.access, &self.visibility, activity, if self.archived { "archived" } else { "-" }]
    }

    /// On one line.
    pub(super) fn json(&self) -> String {
        // Named one by one, so that a new field is not forgotten here.
        let Self {
            path,
            name,
            http_url,
            web_url,
            access_level,
            access,
            visibility,
            archived,
            default_branch,
            last_activity_at,
        } = self;
        let object = json!({
            "path": path,
            "name": name,
            "http_url": http_url,
            "web_url": web_url,
            "access_level": access_level,
            "access": access,
            "visibility": visibility,
            "archived": archived,
            "default_branch": default_branch,
            "last_activity_at": last_activity_at,
        });
        object.to_string()
    }
}

/// A project as the daemon describes it, for the tests of those who show it.
#[cfg(test)]
pub(super) fn example() -> Project {
    let block = Attributes::new()
        .with("id", "7")
        .with("path", "group/sub/app")
        .with("name", "App")
        .with("http_url", "https://gitlab.example/group/sub/app.git")
        .with("web_url", "https://gitlab.example/group/sub/app")
        .with("access_level", "40")
        .with("access", "maintainer")
        .with("visibility", "private")
        .with("archived", "0")
        .with("default_branch", "main")
        .with("last_activity_at", "2023-11-14T20:00:00Z");
    Project::in_block(&block).expect("complete")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_promised_fields_are_there_with_their_types() {
        let object: serde_json::Value = serde_json::from_str(&example().json()).expect("JSON");
        let expected = json!({
            "path": "group/sub/app", "name": "App",
            "http_url": "https://gitlab.example/group/sub/app.git", "web_url": "https://gitlab.example/group/sub/app",
            "access_level": 40, "access": "maintainer", "visibility": "private", "archived": false,
            "default_branch": "main", "last_activity_at": "2023-11-14T20:00:00Z",
        });
        assert_eq!(object, expected);
    }

    #[test]
    fn what_is_absent_is_not_invented() {
        let block =
            Attributes::new().with("path", "g/a").with("http_url", "https://h/g/a.git").with("access", "unknown");
        let bare = Project::in_block(&block).expect("enough");
        let object: serde_json::Value = serde_json::from_str(&bare.json()).expect("JSON");
        assert!(object["access_level"].is_null() && object["default_branch"].is_null());
        assert!(object["last_activity_at"].is_null());
        assert_eq!(bare.cells(), ["g/a", "unknown", "", "-", "-"]);
        assert!(Project::in_block(&Attributes::new()).is_err());
    }
}
