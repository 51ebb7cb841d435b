//! As much of HTML as a visit needs: forms, the title, the text, a redirect by script.

/// A page taken apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) text: String,
    pub(super) forms: Vec<Form>,
    /// Whether something on the page is marked as an error or an alert.
    pub(super) alarmed: bool,
    /// Whether the page reports that something was done.
    pub(super) notice: bool,
    /// The target of `window.location=` in a script.
    pub(super) script_redirect: Option<String>,
}

/// A form with its inputs as the server filled them in.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    pub(super) action: String,
    pub(super) method: String,
    pub(super) inputs: Vec<(String, String)>,
    pub(super) buttons: Vec<Button>,
}

/// A submit button.
#[derive(Clone, Debug, Default)]
pub(super) struct Button {
    /// Name and value, sent only if this button is pressed.
    pub(super) field: Option<(String, String)>,
    pub(super) label: String,
}

impl Form {
    pub(super) fn has(&self, name: &str) -> bool {
        self.inputs.iter().any(|(own, _)| own == name)
    }

    pub(super) fn fill(&mut self, name: &str, value: &str) {
        for (_, field) in self.inputs.iter_mut().filter(|(own, _)| own == name) {
            value.clone_into(field);
        }
    }

    pub(super) fn button(&self, label: &str) -> Option<&Button> {
        self.buttons.iter().find(|button| button.label.trim() == label)
    }
}

/// An opening or closing tag.
struct Tag<'a> {
    name: &'a str,
    closing: bool,
    attributes: Vec<(&'a str, String)>,
}

impl Tag<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| value.as_str())
    }

    fn owned(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }
}

impl Page {
    pub(super) fn parse(html: &str) -> Self {
        let mut page = Self::default();
        let (mut form, mut button): (Option<Form>, Option<Button>) = (None, None);
        let mut in_title = false;
        let mut rest = html;
        while let Some((text, tagged)) = rest.split_once('<') {
            page.take_text(&unescape(text), in_title, button.as_mut());
            let (tag, after) = tagged.split_once('>').unwrap_or((tagged, ""));
            rest = after;
            let tag = parse_tag(tag);
            if tag.name == "script" && !tag.closing {
                let (script, after) = rest.split_once("</script>").unwrap_or((rest, ""));
                page.script_redirect = page.script_redirect.or_else(|| location(script));
                rest = after;
            }
            match (tag.name, tag.closing) {
                ("title", closing) => in_title = !closing,
                ("form", false) => {
                    let (action, method) = (tag.owned("action"), tag.owned("method"));
                    form = Some(Form { action, method, ..Form::default() });
                }
                ("form", true) => page.forms.extend(form.take()),
                ("input", false) => {
                    if let (Some(form), Some(name)) = (&mut form, tag.get("name")) {
                        form.inputs.push((name.to_owned(), tag.owned("value")));
                    }
                }
                ("button", false) => {
                    let field = tag.get("name").map(|name| (name.to_owned(), tag.owned("value")));
                    button = Some(Button { field, label: String::new() });
                }
                ("button", true) => {
                    if let Some(form) = &mut form {
                        form.buttons.extend(button.take());
                    }
                }
                _ => {}
            }
            let class = tag.get("class").unwrap_or_default();
            page.alarmed |= matches!(class, "error" | "flash-alert");
            page.notice |= class == "flash-notice";
        }
        page.take_text(&unescape(rest), false, None);
        page
    }

    fn take_text(&mut self, text: &str, in_title: bool, button: Option<&mut Button>) {
        if in_title {
            self.title.push_str(text);
            return;
        }
        if let Some(button) = button {
            button.label.push_str(text);
        }
        if !text.trim().is_empty() {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            self.text.push_str(text.trim());
        }
    }
}

/// `name attribute="value" …`; the server quotes with `"`.
fn parse_tag(tag: &str) -> Tag<'_> {
    let closing = tag.starts_with('/');
    let tag = tag.trim_start_matches('/');
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let mut attributes = Vec::new();
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').unwrap_or((after, ""));
        attributes.push((name.trim(), unescape(value)));
        rest = after;
    }
    Tag { name, closing, attributes }
}

fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&#39;", "'").replace("&amp;", "&")
}

/// The string literal assigned to `window.location`.
fn location(script: &str) -> Option<String> {
    let (_, literal) = script.split_once("window.location=")?;
    let literal = literal.trim().trim_end_matches(';').trim_end();
    serde_json::from_str(literal).ok()
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn forms_are_read_as_they_are_written() {
        let page = Page::parse(
            "<title>A &amp; B</title><form action=\"/x\" method=\"post\">\
             <input type=\"hidden\" name=\"t\" value=\"&quot;1&quot;\">\
             <button name=\"commit\" value=\"yes\">Go</button></form>\
             <script>window.location= \"http:\\/\\/h\\u002fp\";</script>",
        );
        assert_eq!(page.title, "A & B");
        assert_eq!(page.forms[0].inputs, [("t".to_owned(), "\"1\"".to_owned())]);
        let pressed = page.forms[0].button("Go").and_then(|button| button.field.clone());
        assert_eq!(pressed, Some(("commit".to_owned(), "yes".to_owned())));
        assert_eq!(page.script_redirect.as_deref(), Some("http://h/p"));
    }
}
