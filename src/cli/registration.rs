//! A GitLab that has no application of ours: how to make one, and what to type then.

use super::call::{needed, text};
use super::error::Error;
use super::everybody;
use crate::credential::Attributes;
use crate::instance::Instance;
use crate::shell::quoted;

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
             \n  4. copy the Application ID (and, only if your rules ask for a confidential one, the secret)\n\
             \nIt serves everybody on this GitLab. So that it stays when you leave, a group (under Settings > \
             Applications) or an administrator ({host}/admin/applications) can register it in the same way.\n\n"
        )
    }

    /// The page with GitLab's form.
    pub(super) fn page(&self) -> &str {
        &self.page
    }

    /// What a person types to mean the GitLab.
    pub(super) fn short(&self) -> String {
        Instance::parse(&self.host).map_or_else(|_| self.host.clone(), |instance| instance.short())
    }

    /// How to go on, where nobody can be asked for the Application ID: with this command.
    pub(super) fn next_step(&self, command: &str) -> String {
        let (host, short) = (&self.host, self.short());
        // What the person wants besides is not for others.
        let others = match command.ends_with("--client-id ID") {
            true => "(and tell others, whom the same application serves)".into(),
            false => {
                format!("(others, whom the same application serves: git credential-gitlab link {short} --client-id ID)")
            }
        };
        format!(
            "Then type {others}:\n\
             {command}\n\
             If it is confidential, add --client-secret-stdin, which asks for the secret or reads it from a pipe.\n\
             An administrator can spare everybody the id, in git's config: credential.{host}.oauthClientId"
        )
    }
}

/// What whoever has registered an application tells others, and what spares them even that.
pub(super) fn for_colleagues(instance: &Instance, id: &str, has_secret: bool) -> String {
    let (short, link, id) = (instance.short(), instance.link_command(), quoted(id));
    if has_secret {
        return format!(
            "Others on this GitLab can use the same application, if you give them its secret, for which this asks: \
             {link} --client-id {id} --client-secret-stdin"
        );
    }
    let for_all = everybody::command(&format!("configure {short} --system --client-id {id}"));
    format!(
        "Others on this GitLab can use the same application: {link} --client-id {id}\n\
         On this machine that spares them the id: {for_all}"
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
            "(https://gitlab.example/admin/applications)",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        let next = registration.next_step("git credential-gitlab link gitlab.example --client-id ID");
        assert!(next.contains("git credential-gitlab link gitlab.example --client-id ID\n"), "{next}");
        assert!(next.contains("credential.https://gitlab.example.oauthClientId"), "{next}");
        // What one wants for oneself is not told to others.
        let command = "git credential-gitlab link gitlab.example --client-id ID --account alice";
        let next = registration.next_step(command);
        assert!(next.contains("git credential-gitlab link gitlab.example --client-id ID):\n"), "{next}");
        assert!(next.contains(&format!("\n{command}\n")), "{next}");
    }
}
