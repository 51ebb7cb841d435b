//! What is linked into these programs comes from where it should, under licences that we take, and
//! nothing comes in two versions that need not: the rules of `contrib/deny.toml`, as far as they need
//! no network.
//!
//! cargo-deny knows more (`contrib/audit`), and takes minutes to be built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use toml::Table;

fn table(path: &str) -> Table {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("readable");
    text.parse().unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn list<'a>(of: &'a toml::Value, key: &str) -> &'a [toml::Value] {
    of[key].as_array().expect("a list")
}

fn texts<'a>(of: &'a toml::Value, key: &str) -> BTreeSet<&'a str> {
    list(of, key).iter().map(|text| text.as_str().expect("text")).collect()
}

/// All packages of Cargo.lock, for whichever platform: name, version, and where it is from.
fn locked(lock: &Table) -> Vec<(&str, &str, Option<&str>)> {
    lock["package"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|package| {
            let text = |key: &str| package.get(key).and_then(toml::Value::as_str);
            (text("name").expect("a name"), text("version").expect("a version"), text("source"))
        })
        .collect()
}

/// What `cargo metadata` says of the programs, as they are built for this machine.
fn built_here() -> Vec<Value> {
    let run = |program: &str, words: &[&str]| {
        let output =
            Command::new(program).args(words).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("it runs");
        assert!(output.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let version = run("rustc", &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc says it");
    let words = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host];
    let mut metadata: Value = serde_json::from_str(&run(env!("CARGO"), &words)).expect("JSON");
    let needed: BTreeSet<String> = metadata["resolve"]["nodes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|node| node["id"].as_str().expect("text").to_owned())
        .collect();
    let Value::Array(packages) = metadata["packages"].take() else { panic!("a list") };
    packages.into_iter().filter(|package| package["id"].as_str().is_some_and(|id| needed.contains(id))).collect()
}

#[test]
fn every_dependency_is_of_the_registry_and_none_is_banned() {
    let (rules, lock) = (table("contrib/deny.toml"), table("Cargo.lock"));
    let registries = texts(&rules["sources"], "allow-registry");
    let banned: BTreeSet<&str> =
        list(&rules["bans"], "deny").iter().map(|rule| rule["crate"].as_str().expect("a name")).collect();
    assert!(banned.len() > 1 && registries.len() == 1, "the rules are read");
    let packages = locked(&lock);
    assert!(packages.len() > 100, "{}", packages.len());
    for (name, _, source) in packages {
        let ours = ["git-credential-gitlab", "gitlab-stand-in"].contains(&name);
        let registry = source.and_then(|source| source.strip_prefix("registry+"));
        assert!(ours || registry.is_some_and(|registry| registries.contains(registry)), "{name} is from {source:?}");
        assert!(!banned.contains(name), "{name} is banned");
    }
}

#[test]
fn nothing_comes_in_two_versions_but_what_is_listed() {
    let (rules, lock) = (table("contrib/deny.toml"), table("Cargo.lock"));
    assert_eq!(rules["bans"]["multiple-versions"].as_str(), Some("deny"));
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, version, _) in locked(&lock) {
        versions.entry(name).or_default().push(version);
    }
    // Each rule takes one version of one crate out.
    for rule in list(&rules["bans"], "skip") {
        let (name, old) = rule["crate"].as_str().and_then(|rule| rule.split_once('@')).expect("name@version");
        let known = versions.get_mut(name).unwrap_or_else(|| panic!("{name} is not there any more"));
        let before = known.len();
        known.retain(|version| !version.strip_prefix(old).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
        assert_eq!(known.len() + 1, before, "{name}@{old} is not there any more");
        assert!(!known.is_empty(), "{name} comes in one version by now");
    }
    versions.retain(|_, versions| versions.len() > 1);
    assert!(versions.is_empty(), "not listed in contrib/deny.toml: {versions:?}");
}

#[test]
fn every_licence_is_one_that_we_take() {
    let rules = table("contrib/deny.toml");
    let licences = &rules["licenses"];
    let allowed = texts(licences, "allow");
    let exceptions: BTreeMap<&str, BTreeSet<&str>> = list(licences, "exceptions")
        .iter()
        .map(|rule| (rule["crate"].as_str().expect("a name"), texts(rule, "allow")))
        .collect();
    let packages = built_here();
    assert!(packages.len() > 100, "{}", packages.len());
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let licence = package["license"].as_str().unwrap_or_else(|| panic!("{name} has no licence"));
        let licence = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX)
            .unwrap_or_else(|why| panic!("{name}: {licence}: {why}"));
        let exception = exceptions.get(name);
        let taken = licence.evaluate(|asked| {
            let id = asked.license.id().map(|id| id.name);
            id.is_some_and(|id| allowed.contains(id) || exception.is_some_and(|it| it.contains(id)))
        });
        assert!(taken, "{name} is under {licence}");
    }
}
