# Completion of `git credential-gitlab` for bash, beside git's own.
# Load it: eval "$(git credential-gitlab completion bash)"

# What the program proposes for these words, one a line.
__git_credential_gitlab_proposals() {
    git-credential-gitlab complete "$@" 2>/dev/null | cut -f 1
}

# git's completion calls this for `git credential-gitlab`.
_git_credential_gitlab() {
    local first=${__git_cmd_idx:-1}
    local IFS=$'\n'
    __gitcomp_nl "$(__git_credential_gitlab_proposals $((cword - first)) "${words[@]:first}")"
}

# And for the program itself.
__git_credential_gitlab_itself() {
    local IFS=$'\n' cur=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=($(compgen -W "$(__git_credential_gitlab_proposals "$COMP_CWORD" "${COMP_WORDS[@]}")" -- "$cur"))
}
complete -F __git_credential_gitlab_itself git-credential-gitlab
