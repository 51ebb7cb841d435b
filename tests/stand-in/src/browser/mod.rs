//! A browser with a person in front of it, scripted: it signs in, decides, and follows whatever
//! the server's pages say.
//!
//! It knows no address of GitLab's but the one it is given. Everything else it reads off the HTML,
//! so a broken form breaks it.

mod cookies;
mod html;

use crate::http::{Client, Reply};
use cookies::Jar;
use form_urlencoded::Serializer;
use html::{Button, Form, Page};
use hyper::{Uri, header};
use std::{io, path::Path};

/// More pages than any login has.
const MOST_PAGES: usize = 20;

/// The browser, the person, and the person's mind.
#[derive(Default)]
pub struct Browser {
    client: Client,
    jar: Jar,
    username: String,
    password: String,
    code: Option<String>,
    deny: bool,
    gone: bool,
    /// It runs on another machine than the client.
    elsewhere: bool,
    /// What happens between the first consent and a second one.
    between: Option<Between>,
}

/// What the person does after the first consent.
#[derive(Clone, Debug)]
enum Between {
    /// They think better of it, and deny from then on.
    Deny,
    /// Somebody else takes over, and signs in.
    Hand(String),
    /// They walk away.
    Leave,
}

/// Where a visit ended.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The last address, with whatever the client's callback carried.
    pub url: String,
    /// The status of the last page.
    pub status: u16,
    /// The title of the last page.
    pub title: String,
    /// Its text.
    pub text: String,
    /// Whether the visit did *not* end on an error page.
    pub ok: bool,
}

impl Browser {
    /// The browser of a user with the usual password, who says yes.
    pub fn new(username: &str) -> Self {
        let password = format!("{username}-password");
        Self { username: username.to_owned(), password, ..Self::default() }
    }

    /// The person types another password.
    pub fn password(mut self, password: &str) -> Self {
        password.clone_into(&mut self.password);
        self
    }

    /// The person presses *Deny*. On the device page, which has no such button, they walk away.
    pub fn deny(mut self) -> Self {
        self.deny = true;
        self
    }

    /// The person says yes once, and no to whatever is asked after that.
    pub fn deny_after_first(mut self) -> Self {
        self.between = Some(Between::Deny);
        self
    }

    /// After the first consent this user signs in, and says yes as well.
    pub fn hand_over_after_first(mut self, username: &str) -> Self {
        self.between = Some(Between::Hand(username.to_owned()));
        self
    }

    /// The person says yes once, and walks away.
    pub fn leave_after_first(mut self) -> Self {
        self.between = Some(Between::Leave);
        self
    }

    /// The browser runs on another machine: what listens on the client's loopback can't be reached,
    /// and the visit ends at that address.
    pub fn elsewhere(mut self) -> Self {
        self.elsewhere = true;
        self
    }

    /// The code to enter on the device page, unless the address has filled it in.
    pub fn code(mut self, code: &str) -> Self {
        self.code = Some(code.to_owned());
        self
    }

    /// Trusts this certificate authority for HTTPS.
    ///
    /// # Errors
    ///
    /// If the file is not a PEM certificate.
    pub fn trusting(mut self, ca_pem: &Path) -> io::Result<Self> {
        self.client = Client::trusting(ca_pem)?;
        Ok(self)
    }

    /// Trusts this authority, and shows this certificate with its key.
    ///
    /// # Errors
    ///
    /// If a file does not hold what it should.
    pub fn identified_by(mut self, ca_pem: &Path, client_pem: Option<(&Path, &Path)>) -> io::Result<Self> {
        self.client = Client::identified_by(ca_pem, client_pem)?;
        Ok(self)
    }

    /// Opens an address and stays until there is nothing left to press.
    ///
    /// # Errors
    ///
    /// If a connection fails, or the pages lead nowhere.
    pub fn visit(&mut self, url: &str) -> io::Result<Visit> {
        let mut url = url.to_owned();
        let mut reply = self.get(&url)?;
        let mut signed_in = false;
        for _ in 0..MOST_PAGES {
            if reply.status.is_redirection() {
                let next = resolve(&url, reply.header("location"))?;
                if self.elsewhere && authority(&next) != authority(&url) {
                    return Ok(Visit { url: next, status: 0, title: String::new(), text: String::new(), ok: false });
                }
                url = next;
                reply = self.get(&url)?;
                continue;
            }
            let page = page_of(&reply);
            let over = page.alarmed || page.notice || !reply.status.is_success();
            if over {
                return Ok(end(url, &reply, page));
            }
            if let Some(target) = &page.script_redirect {
                url = resolve(&url, target)?;
                reply = self.get(&url)?;
                continue;
            }
            let Some((form, button)) = self.decide(&page, signed_in) else {
                return Ok(end(url, &reply, page));
            };
            signed_in |= form.has("user[login]");
            if button.as_ref().is_some_and(|button| button.label.trim() == "Authorize") {
                signed_in &= !matches!(self.between, Some(Between::Hand(_)));
                url = resolve(&url, &form.action)?;
                reply = self.submit(&url, &form, button.as_ref())?;
                self.pass_on();
                continue;
            }
            url = resolve(&url, &form.action)?;
            reply = self.submit(&url, &form, button.as_ref())?;
        }
        Err(io::Error::other(format!("the pages go in circles at {url}")))
    }

    /// The first consent was given.
    fn pass_on(&mut self) {
        match self.between.take() {
            Some(Between::Deny) => self.deny = true,
            Some(Between::Leave) => self.gone = true,
            Some(Between::Hand(username)) => {
                self.password = format!("{username}-password");
                self.username = username;
                self.jar = Jar::default();
            }
            None => {}
        }
    }

    /// What the person does on a page: which form, filled in how, sent by which button.
    fn decide(&self, page: &Page, signed_in: bool) -> Option<(Form, Option<Button>)> {
        if self.gone {
            return None;
        }
        if let Some(form) = page.forms.iter().find(|form| form.has("user[login]")) {
            // The same form again would mean that the password was refused without a word.
            let mut form = (!signed_in).then(|| form.clone())?;
            form.fill("user[login]", &self.username);
            form.fill("user[password]", &self.password);
            return Some((form, None));
        }
        for label in if self.deny { ["Deny", ""] } else { ["Authorize", "Continue"] } {
            for form in &page.forms {
                let Some(button) = form.button(label) else { continue };
                let (mut form, button) = (form.clone(), button.clone());
                let code = self.code.as_deref().filter(|_| label == "Continue");
                if let Some(code) = code {
                    form.fill("user_code", code);
                }
                return Some((form, Some(button)));
            }
        }
        None
    }

    fn get(&mut self, url: &str) -> io::Result<Reply> {
        let uri: Uri = url.parse().map_err(io::Error::other)?;
        let cookies = self.jar.header(&uri);
        let cookies = Some(("cookie", cookies.as_str())).filter(|(_, value)| !value.is_empty());
        let reply = self.client.get(url, cookies.as_slice())?;
        self.jar.keep(&uri, &reply.headers);
        Ok(reply)
    }

    fn submit(&mut self, url: &str, form: &Form, button: Option<&Button>) -> io::Result<Reply> {
        let pressed = button.and_then(|button| button.field.as_ref());
        let fields: Vec<(&str, &str)> =
            form.inputs.iter().chain(pressed).map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if !form.method.eq_ignore_ascii_case("post") {
            let query = Serializer::new(String::new()).extend_pairs(fields).finish();
            return self.get(&format!("{url}?{query}"));
        }
        let uri: Uri = url.parse().map_err(io::Error::other)?;
        let cookies = self.jar.header(&uri);
        let reply = self.client.post(url, &fields, &[("cookie", &cookies)])?;
        self.jar.keep(&uri, &reply.headers);
        Ok(reply)
    }
}

fn page_of(reply: &Reply) -> Page {
    let is_html = reply.header(header::CONTENT_TYPE.as_str()).starts_with("text/html");
    if is_html {
        return Page::parse(&reply.text());
    }
    Page { text: reply.text(), ..Page::default() }
}

fn end(url: String, reply: &Reply, page: Page) -> Visit {
    let ok = reply.status.is_success() && !page.alarmed;
    Visit { url, status: reply.status.as_u16(), title: page.title, text: page.text, ok }
}

fn authority(url: &str) -> Option<String> {
    url.parse::<Uri>().ok()?.authority().map(ToString::to_string)
}

/// An address as found in a page or header, made absolute.
fn resolve(base: &str, reference: &str) -> io::Result<String> {
    let path_of_reference = reference.split(['?', '#']).next().unwrap_or_default();
    if path_of_reference.contains("://") {
        return Ok(reference.to_owned());
    }
    let base: Uri = base.parse().map_err(io::Error::other)?;
    match (base.scheme_str(), base.authority()) {
        (Some(scheme), Some(authority)) if reference.starts_with('/') => {
            Ok(format!("{scheme}://{authority}{reference}"))
        }
        _ => Err(io::Error::other(format!("an address that leads nowhere: {reference}"))),
    }
}
