#compdef git-credential-gitlab
# Completion of `git credential-gitlab` for zsh, beside git's own.
# Load it, after compinit: eval "$(git credential-gitlab completion zsh)"

# zsh's completion of git calls this for `git credential-gitlab`.
_git-credential-gitlab() {
    local -a proposals
    local line
    for line in "${(@f)$(git-credential-gitlab complete $((CURRENT - 1)) "${words[@]}" 2>/dev/null)}"; do
        [[ -n $line ]] && proposals+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    _describe -V 'git credential-gitlab' proposals
}
zstyle ':completion:*:*:git:*' user-commands credential-gitlab:'link your GitLab account'
(( $+functions[compdef] )) && compdef _git-credential-gitlab git-credential-gitlab
