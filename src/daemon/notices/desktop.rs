//! A window of the desktop that tells something and asks nothing.

use std::time::Duration;

/// A desktop answers at once. One that does not is not waited for.
const WITHIN: Duration = Duration::from_secs(5);

/// Shows it; where there is no desktop, says so.
pub(super) async fn show(title: &str, text: &str) -> Result<(), String> {
    let shown = tokio::time::timeout(WITHIN, platform::show(title, text)).await;
    shown.unwrap_or_else(|_| Err("the desktop did not answer".into()))
}

/// The Desktop Notifications specification, which GNOME, KDE and all others follow.
#[cfg(all(unix, not(target_os = "macos")))]
mod platform {
    use std::collections::HashMap;

    use zbus::Connection;
    use zbus::zvariant::Value;

    const SERVICE: &str = "org.freedesktop.Notifications";
    const OBJECT: &str = "/org/freedesktop/Notifications";

    /// An icon's name from the specification of those.
    const ICON: &str = "dialog-password";

    /// The desktop decides how long it stays.
    const USUAL_TIME: i32 = -1;

    pub(super) async fn show(title: &str, text: &str) -> Result<(), String> {
        notify(title, &escaped(text)).await.map_err(|why| why.to_string())
    }

    async fn notify(title: &str, markup: &str) -> zbus::Result<()> {
        let bus = Connection::session().await?;
        let (actions, hints) = (Vec::<&str>::new(), HashMap::<&str, Value>::new());
        let new = 0_u32; // it replaces no other
        let message = (crate::endpoint::NAME, new, ICON, title, markup, actions, hints, USUAL_TIME);
        bus.call_method(Some(SERVICE), OBJECT, Some(SERVICE), "Notify", &message).await?;
        Ok(())
    }

    /// The text is markup to most desktops, and has names in it that come from servers.
    fn escaped(text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn a_name_is_no_markup() {
            assert_eq!(super::escaped("<a href=\"x\">&amp;</a>"), "&lt;a href=\"x\"&gt;&amp;amp;&lt;/a&gt;");
        }
    }
}

/// The words are arguments of the script, not part of it: nothing in them is run.
#[cfg(target_os = "macos")]
mod platform {
    use std::process::Stdio;

    const SCRIPT: [&str; 3] =
        ["on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run"];

    pub(super) async fn show(title: &str, text: &str) -> Result<(), String> {
        let mut script = tokio::process::Command::new("/usr/bin/osascript");
        script.args(SCRIPT.into_iter().flat_map(|line| ["-e", line])).args([title, text]);
        script.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        match script.status().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("osascript: {status}")),
            Err(why) => Err(format!("osascript: {why}")),
        }
    }
}

/// A toast bears the name of an application that is registered; for the person's own account that
/// takes no more than two values in the registry.
#[cfg(windows)]
mod platform {
    use tauri_winrt_notification::Toast;
    use windows_registry::CURRENT_USER;

    use crate::endpoint::NAME;

    pub(super) async fn show(title: &str, text: &str) -> Result<(), String> {
        let (title, text) = (title.to_owned(), text.to_owned());
        let shown = tokio::task::spawn_blocking(move || {
            let key = CURRENT_USER.create(format!(r"Software\Classes\AppUserModelId\{NAME}"));
            let named = key.and_then(|key| key.set_string("DisplayName", NAME));
            named.map_err(|why| why.to_string())?;
            // Neither is markup: the crate sets them as texts of an XML document.
            let toast = Toast::new(NAME).title(&title).text1(&text).sound(None);
            toast.show().map_err(|why| why.to_string())
        });
        shown.await.unwrap_or_else(|why| Err(why.to_string()))
    }
}
