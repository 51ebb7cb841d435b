# Completion of `git credential-gitlab` for fish, beside git's own.
# Load it: git credential-gitlab completion fish | source

function __git_credential_gitlab_proposals
    set -l words (commandline -opc)
    # Whatever stands before it (git and its own flags) is not ours.
    while set -q words[1]; and not string match -q '*credential-gitlab' -- $words[1]
        set -e words[1]
    end
    git-credential-gitlab complete (count $words) $words (commandline -ct) 2>/dev/null
end

complete -c git -n '__fish_seen_subcommand_from credential-gitlab' -f -a '(__git_credential_gitlab_proposals)'
complete -c git -n __fish_use_subcommand -f -a credential-gitlab -d 'link your GitLab account'
complete -c git-credential-gitlab -f -a '(__git_credential_gitlab_proposals)'
