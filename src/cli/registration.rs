//! A GitLab that has no application of ours: how to make one, and what to type then.

use super::call::{needed, text};
use super::error::Error;
use crate::credential::Attributes;
use crate::instance::Instance;

/// What the daemon says about the application that is missing.
#[derive(Debug)]
pub(super) struct Registration {
    host: String,
    page: String,
    redirect_uri: String,
    scopes: Vec<String>,
}

impl Registration {
    pub(super) fn in_block(block: &Attributes) -> Result<Self, Error> {
        Ok(Self {
            host: needed(block, "host")?,
            page: needed(block, "page")?,
            redirect_uri: needed(block, "redirect_uri")?,
            scopes: text(block, "scopes").split_ascii_whitespace().map(str::to_owned).collect(),
        })
    }

    /// Every field of GitLab's form, in the form's order.
    pub(super) fn instructions(&self) -> String {
        let Self { host, page, redirect_uri, scopes } = self;
        let reading = match scopes.iter().any(|scope| scope == "read_repository") {
            true => "",
            false => "\n                    (read_repository too, for accounts that can only read)",
        };
        let scopes = scopes.join(", ");
        format!(
            "This program has no application on {host} yet. To make one, once:\n\
             \n  1. open {page}\
             \n  2. Name: git-credential-gitlab\
             \n     Redirect URI: {redirect_uri}\
             \n     Confidential: NOT ticked\
             \n     Scopes ticked: {scopes}{reading}\
             \n  3. press Save application\
             \n  4. copy the Application ID (and, only if your rules ask for a confidential one, the secret)\n\n"
        )
    }

    /// The page with GitLab's form.
    pub(super) fn page(&self) -> &str {
        &self.page
    }

    /// How to go on, where nobody can be asked for the Application ID.
    pub(super) fn next_step(&self) -> String {
        let short = Instance::parse(&self.host).map_or_else(|_| self.host.clone(), |instance| instance.short());
        format!(
            "Then type (and tell others, whom the same application serves):\n\
             git credential-gitlab link {short} --client-id ID\n\
             An administrator can spare everybody this, in git's config: credential.{}.oauthClientId",
            self.host
        )
    }
}

/// What whoever has registered an application tells others, and what spares them even that.
pub(super) fn for_colleagues(instance: &Instance, id: &str) -> String {
    let short = instance.short();
    format!(
        "Others on this GitLab can use the same application: git credential-gitlab link {short} --client-id {id}\n\
         On this machine that spares them the id: sudo git credential-gitlab configure {short} --system --client-id {id}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instructions_name_every_field() {
        let block = Attributes::new()
            .with("host", "https://gitlab.example")
            .with("page", "https://gitlab.example/-/user_settings/applications")
            .with("redirect_uri", "http://127.0.0.1")
            .with("scopes", "read_api write_repository");
        let registration = Registration::in_block(&block).expect("complete");
        let text = registration.instructions();
        for part in [
            "open https://gitlab.example/-/user_settings/applications\n",
            "Name: git-credential-gitlab\n",
            "Redirect URI: http://127.0.0.1\n",
            "Confidential: NOT ticked\n",
            "Scopes ticked: read_api, write_repository\n",
            "(read_repository too, for accounts that can only read)\n",
            "press Save application\n",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        let next = registration.next_step();
        assert!(next.contains("git credential-gitlab link gitlab.example --client-id ID\n"), "{next}");
        assert!(next.contains("credential.https://gitlab.example.oauthClientId"), "{next}");
    }
}
