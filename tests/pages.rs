//! The pages people see when the browser comes back, looked at with a real one.
//!
//! Screenshots of all are left in target/tmp/pages, or where $SCREENSHOTS says.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::support::by_hand::callback;
use crate::support::chromium::Chromium;
use crate::support::{Sandbox, Started};

const PHONE: (u32, u32) = (360, 740);
const DESKTOP: (u32, u32) = (1280, 800);

/// What keeps a page from being read, as texts. Contrasts as WCAG 2 computes them.
const AUDIT: &str = r#"(() => {
  const complaints = [];
  const demand = (what, holds) => { if (!holds) complaints.push(what); };
  const numbers = colour => colour.match(/[\d.]+/g).map(Number);
  const light = colour => numbers(colour).slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    const colour = getComputedStyle(element).backgroundColor;
    const alpha = numbers(colour)[3] ?? 1;
    return alpha === 1 ? colour : element.parentElement ? behind(element.parentElement) : 'rgb(255, 255, 255)';
  };
  const contrast = element => {
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
    return (a + 0.05) / (b + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const [text, element] = [walker.currentNode.data.trim(), walker.currentNode.parentElement];
    if (!text) continue;
    texts += 1;
    demand(`contrast ${contrast(element)} of ${text}`, contrast(element) >= 4.5);
    demand(`small print: ${text}`, parseFloat(getComputedStyle(element).fontSize) >= 14);
  }
  demand('text', texts >= 3);
  demand('contrast of the mark', contrast(document.querySelector('svg')) >= 4.5);
  demand('language', document.documentElement.lang === 'en');
  demand('one heading', document.querySelectorAll('h1').length === 1);
  demand('the title is the heading', document.title.startsWith(document.querySelector('h1').textContent));
  demand('standards mode', document.compatMode === 'CSS1Compat');
  demand('the style is applied', numbers(getComputedStyle(document.body).backgroundColor)[3] !== 0);
  const width = document.documentElement.scrollWidth;
  demand(`${width} px wide`, width <= screen.width && innerWidth <= screen.width);
  return complaints;
})()"#;

fn begin(sandbox: &Sandbox, words: &[&str]) -> (Started, String) {
    let common = [sandbox.gitlab.url(), "--client-id", &sandbox.client_id, "--yes"];
    sandbox.begin_link(common.into_iter().chain(words.iter().copied()))
}

/// Opens GitLab, and signs alice in.
fn sign_in(browser: &mut Chromium, address: &str) {
    browser.open(address);
    let fill = "document.querySelector('[name=\"user[login]\"]').value = 'alice';
                document.querySelector('[name=\"user[password]\"]').value = 'alice-password';";
    browser.evaluate(fill);
    browser.press("Sign in");
}

/// Where the browser went and could be sent again: nowhere but to GitLab and to us, and to us without a
/// parameter. It complained about nothing on the way.
fn assert_well_behaved(browser: &mut Chromium, gitlab: &str, visited: &[String]) {
    let ours = |url: &str| visited.iter().any(|to| url.starts_with(&format!("http://{to}/")));
    for event in browser.events("Network.requestWillBeSent") {
        let url = event["request"]["url"].as_str().expect("an address");
        assert!(ours(url) || url.starts_with(gitlab), "{url}");
    }
    let history = browser.call("Page.getNavigationHistory", json!({}));
    let entries = history["entries"].as_array().expect("a list");
    let urls: Vec<_> = entries.iter().map(|entry| entry["url"].as_str().expect("an address")).collect();
    assert!(urls.iter().any(|url| ours(url)), "{urls:?}");
    for url in urls {
        assert!(!ours(url) || !url.contains(['?', '#']), "{url}");
    }
    // What is said of GitLab's pages is not our affair, and our errors' statuses are meant so.
    let about_gitlab = format!("{gitlab}/");
    let is_meant = |complaint: &str| complaint.contains(&about_gitlab) || complaint.contains("a status of 40");
    let complaints: Vec<_> = browser.complaints().filter(|complaint| !is_meant(complaint)).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// Looks at the page in every light and at every size.
#[track_caller]
fn assert_readable(browser: &mut Chromium, name: &str, heading: &str) {
    assert_eq!(browser.text("document.querySelector('h1').textContent"), heading, "{name}");
    let directory = std::env::var_os("SCREENSHOTS")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages"), PathBuf::from);
    fs::create_dir_all(&directory).expect("a directory");
    for (device, size) in [("phone", PHONE), ("desktop", DESKTOP)] {
        for scheme in ["light", "dark"] {
            browser.look(size, scheme);
            let found = browser.evaluate(AUDIT);
            let said = || browser.complaints().collect::<Vec<_>>();
            assert_eq!(found, json!([]), "{name}, {device}, {scheme}; the browser said: {:#?}", said());
            let file = directory.join(format!("{name}-{device}-{scheme}.png"));
            fs::write(file, browser.screenshot()).expect("written");
        }
    }
    // What a screen reader says.
    let tree = browser.call("Accessibility.getFullAXTree", json!({}));
    let nodes: Vec<_> =
        tree["nodes"].as_array().expect("a list").iter().filter(|node| node["ignored"] == false).collect();
    let names = |role: &str| -> Vec<_> {
        let nodes = nodes.iter().filter(|node| node["role"]["value"] == role);
        nodes.map(|node| node["name"]["value"].as_str().unwrap_or_default()).collect()
    };
    assert_eq!(names("RootWebArea"), [format!("{heading} · git-credential-gitlab")], "{name}");
    assert_eq!(names("heading"), [heading], "{name}");
    assert_eq!((names("main").len(), names("image").len()), (1, 1), "{name}");
    assert!(["Done", "Attention", "Failed"].contains(&names("image")[0]), "{name}");
}

#[test]
fn a_person_links_in_a_real_browser_and_no_code_stays_there() {
    let sandbox = Sandbox::new();
    let mut browser = Chromium::start();
    let (started, address) = begin(&sandbox, &[]);
    let to = callback(&address);
    sign_in(&mut browser, &address);
    browser.press("Authorize");
    let shown = browser.text("location.href");
    browser.reload();
    assert_eq!(browser.text("location.href"), shown);
    started.finish().succeeded();
    assert_readable(&mut browser, "linked", "Linked");
    let text = browser.text("document.querySelector('main').innerText");
    assert!(text.contains(&format!("alice at {}", sandbox.gitlab.url())) && text.contains("terminal"), "{text}");
    assert!(shown.starts_with(&format!("http://{to}/")) && shown.len() < 50, "{shown}");
    assert_eq!(browser.text("document.referrer"), "");
    assert_well_behaved(&mut browser, sandbox.gitlab.url(), &[to]);
}

#[test]
fn every_page_is_readable_on_every_screen_and_for_everybody() {
    let sandbox = Sandbox::new();
    let mut browser = Chromium::start();
    let mut visited = Vec::new();

    let (denied, address) = begin(&sandbox, &["--read-only"]);
    visited.push(callback(&address));
    browser.open(&format!("http://{}/?code=x&state=guess", visited[0]));
    assert_eq!(browser.text("location.search"), "");
    assert_readable(&mut browser, "stranger", "Nobody waits for this page");
    browser.open(&format!("http://{}/elsewhere", visited[0]));
    assert_readable(&mut browser, "nothing", "Nothing here");
    sign_in(&mut browser, &address);
    browser.press("Deny");
    assert_readable(&mut browser, "denied", "Not linked");
    // The command can be taken from the page as it is, and asks for the same once more.
    let again =
        browser.text("getSelection().selectAllChildren(document.querySelector('pre')), getSelection().toString()");
    let (url, id) = (sandbox.gitlab.url(), &sandbox.client_id);
    assert_eq!(again.trim(), format!("git credential-gitlab link {url} --client-id {id} --read-only"));
    denied.finish().ended_with(4);

    let (refused, address) = begin(&sandbox, &["--account", "bob"]);
    visited.push(callback(&address));
    browser.open(&address);
    browser.press("Authorize");
    assert_readable(&mut browser, "failed", "Not linked");
    refused.finish().ended_with(4);

    let (late, address) = begin(&sandbox, &["--timeout", "1"]);
    visited.push(callback(&address));
    late.finish().ended_with(4);
    browser.open(&address);
    browser.press("Authorize");
    assert_readable(&mut browser, "late", "Too late");

    for (answer, name, heading, code) in
        [("Authorize", "spare", "Linked", 0), ("Deny", "no-spare", "Linked, without a spare", 4)]
    {
        let (started, address) = begin(&sandbox, &["--spare"]);
        visited.push(callback(&address));
        browser.open(&address);
        browser.press("Authorize");
        browser.press(answer);
        assert_readable(&mut browser, name, heading);
        started.finish().ended_with(code);
    }
    assert_well_behaved(&mut browser, sandbox.gitlab.url(), &visited);
}
