# Completion of `git credential-gitlab` for bash, beside git's own.
# Load it: eval "$(git credential-gitlab completion bash)"

# What the program proposes for these words, one a line.
__git_credential_gitlab_proposals() {
    git-credential-gitlab complete "$@" 2>/dev/null | cut -f 1
}

# bash replaces only what stands behind the last colon of a word, so no more of it may be proposed.
__git_credential_gitlab_behind_colon() {
    if [[ $1 == *:* && $COMP_WORDBREAKS == *:* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${1%"${1##*:}"}"}")
    fi
}

# git's completion calls this for `git credential-gitlab`.
_git_credential_gitlab() {
    local first=${__git_cmd_idx:-1}
    local IFS=$'\n'
    __gitcomp_nl "$(__git_credential_gitlab_proposals $((cword - first)) "${words[@]:first}")"
    __git_credential_gitlab_behind_colon "$cur"
}

# And for the program itself. COMP_WORDS would be cut at colons.
__git_credential_gitlab_itself() {
    local words cur line=${COMP_LINE:0:COMP_POINT}
    read -ra words <<<"$line"
    [[ $line == *' ' ]] && words+=('')
    cur=${words[${#words[@]} - 1]}
    local IFS=$'\n'
    COMPREPLY=($(compgen -W "$(__git_credential_gitlab_proposals $((${#words[@]} - 1)) "${words[@]}")" -- "$cur"))
    __git_credential_gitlab_behind_colon "$cur"
}
complete -F __git_credential_gitlab_itself git-credential-gitlab
