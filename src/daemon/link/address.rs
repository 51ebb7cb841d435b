//! People copy the address of a project: the GitLab that it is a page of is the one they mean.

use crate::daemon::gitlab::{Endpoints, GitLab, Network};
use crate::instance::Instance;
use crate::protocol::{Code, Failure};

/// A GitLab below a path is seldom deeper than one or two names.
const DEEPEST_BASE: usize = 3;

/// Fails if no GitLab answers at the address, but one does above it.
pub(super) async fn check(instance: &Instance, network: &Network) -> Result<(), Failure> {
    if instance.base_path().is_empty() || is_gitlab(instance, network).await {
        return Ok(());
    }
    for above in instance.above().into_iter().take(DEEPEST_BASE) {
        if is_gitlab(&above, network).await {
            let short = above.short();
            let text = format!(
                "{instance} is a page of the GitLab at {above}; to link that: git credential-gitlab link {short}"
            );
            return Err(Failure::new(Code::Usage, text));
        }
    }
    Ok(())
}

/// Whether a GitLab tells us, as it tells everybody, that we have no token.
async fn is_gitlab(instance: &Instance, network: &Network) -> bool {
    let gitlab = GitLab::new(instance.clone(), String::new(), None, Endpoints::default(), network.clone());
    gitlab.look().await.is_ok_and(|seen| seen.status == 401 && seen.is_json_error())
}
