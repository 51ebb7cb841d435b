//! Whether an address is that of a GitLab. People mistype it, and copy that of a project: the GitLab
//! that it is a page of is the one they mean.

use crate::daemon::gitlab::{Endpoints, GitLab, Network};
use crate::instance::Instance;
use crate::protocol::{Code, Failure};

/// A GitLab below a path is seldom deeper than one or two names.
const DEEPEST_BASE: usize = 3;

/// Fails if no GitLab answers at the address, but one does above it.
pub(super) async fn check(instance: &Instance, network: &Network) -> Result<(), Failure> {
    // A server that gives no answer here gives none above; the link itself will say why.
    if instance.base_path().is_empty() || is_gitlab(instance, network).await != Some(false) {
        return Ok(());
    }
    for above in instance.above().into_iter().take(DEEPEST_BASE) {
        if is_gitlab(&above, network).await == Some(true) {
            let short = above.short();
            let text = format!(
                "{instance} is a page of the GitLab at {above}; to link that: git credential-gitlab link {short}"
            );
            return Err(Failure::new(Code::Usage, text));
        }
    }
    Ok(())
}

/// Fails if nothing answers at the address, or no GitLab: before a person is asked for anything.
pub(super) async fn greet(instance: &Instance, network: &Network) -> Result<(), Failure> {
    match at(instance, network).greet().await {
        Ok(_) => Ok(()), // what is strange about it is said before consent
        Err(trouble) => Err(Failure::new(trouble.code(), format!("{instance} was not linked: {trouble}"))),
    }
}

/// Whether a GitLab tells us, as it tells everybody, that we have no token. `None`: nobody answers.
async fn is_gitlab(instance: &Instance, network: &Network) -> Option<bool> {
    at(instance, network).look().await.ok().map(|seen| seen.status == 401 && seen.is_json_error())
}

fn at(instance: &Instance, network: &Network) -> GitLab {
    GitLab::new(instance.clone(), String::new(), None, Endpoints::default(), network.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_asked_once() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = std::thread::spawn(move || {
            let mut asked = 0;
            while let Ok((mut stream, _)) = listener.accept() {
                let mut said = [0; 4];
                match std::io::Read::read(&mut stream, &mut said) {
                    Ok(4) if said == *b"done" => break,
                    _ => asked += 1, // and it hangs up
                }
            }
            asked
        });
        let instance = Instance::parse(&format!("http://{address}/a/b/c")).expect("an address");
        assert_eq!(check(&instance, &Network::default()).await, Ok(()));
        let mut done = std::net::TcpStream::connect(address).expect("it still listens");
        std::io::Write::write_all(&mut done, b"done").expect("it listens");
        assert_eq!(asked.join().expect("no panic"), 1);
    }
}
