//! `status --json`. Its fields are a promise to scripts: add, never rename.

use serde_json::{Value, json};

use super::accounts::{Account, Accounts, Daemon};
use super::time::rfc3339;

/// The object, over several lines.
pub(super) fn render(found: &Accounts) -> String {
    // The problems went to stderr; the object's fields are fixed.
    let Accounts { accounts, daemon: Daemon { pid, version, socket }, problems: _ } = found;
    let accounts: Vec<Value> = accounts.iter().map(account).collect();
    let daemon = json!({ "pid": pid, "version": version, "socket": socket });
    let object = json!({ "version": 1, "daemon": daemon, "accounts": accounts });
    format!("{object:#}")
}

fn account(account: &Account) -> Value {
    // Named one by one, so that a new field is not forgotten here.
    let Account {
        host,
        username,
        label,
        read_only,
        user_id,
        name,
        scopes,
        kind,
        token_kind,
        token_name: _, // for people
        renewal: _,    // the same
        client_id,
        store,
        store_place: _, // a sentence for people
        state,
        detail,
        serves: _,  // what a sentence for people is made of
        warning: _, // another
        expires_at,
        linked_at,
        last_used_at,
        renewals,
        spare,
        spare_detail: _, // another
        paths,
        default,
        notices,
        refused: _, // the detail says so
    } = account;
    let time = |seconds: &Option<i64>| seconds.and_then(rfc3339);
    json!({
        "host": host,
        "username": username,
        "label": label,
        "read_only": read_only,
        "user_id": user_id,
        "name": name,
        "scopes": scopes,
        "kind": kind,
        "token_kind": token_kind,
        "client_id": client_id,
        "store": store,
        "state": state.word(),
        "detail": detail,
        "expires_at": time(expires_at),
        "linked_at": time(linked_at),
        "last_used_at": time(last_used_at),
        "renewals": renewals,
        "spare": spare,
        "paths": paths,
        "default": default,
        "notices": notices,
    })
}

#[cfg(test)]
mod tests {
    use super::super::accounts::example;
    use super::*;

    #[test]
    fn the_promised_fields_are_there_with_their_types() {
        let daemon = Daemon { pid: 42, version: "0.1.0".into(), socket: "/run/socket".into() };
        let mut account = example();
        account.detail = "said \"no\"\u{1b}[2J".into();
        let text = render(&Accounts { accounts: vec![account], daemon, problems: Vec::new() });
        assert!(!text.contains('\u{1b}'));
        let object: Value = serde_json::from_str(&text).expect("JSON");
        let expected = json!({
            "version": 1,
            "daemon": { "pid": 42, "version": "0.1.0", "socket": "/run/socket" },
            "accounts": [{
                "host": "https://gitlab.example", "username": "alice", "label": "alice", "read_only": false,
                "user_id": 7, "name": "Alice Example",
                "scopes": ["read_api", "write_repository"], "kind": "oauth", "token_kind": null, "client_id": "1a2b3c",
                "store": "keyring", "state": "ok", "detail": "said \"no\"\u{1b}[2J",
                "expires_at": "2023-11-15T00:13:20Z", "linked_at": "2023-11-13T22:13:20Z", "last_used_at": null,
                "renewals": 12, "spare": null, "paths": ["group/sub"], "default": true,
                "notices": [],
            }],
        });
        assert_eq!(object, expected);
    }
}
