# Completion of `git credential-gitlab` for PowerShell.
# Load it: git credential-gitlab completion powershell | Out-String | Invoke-Expression

# What the program proposes for these words, its own name first.
function Get-GitCredentialGitlabProposals([string[]] $words, [string] $word) {
    if ($word -eq '') { $words += '' }
    git-credential-gitlab complete ($words.Count - 1) @words 2>$null | ForEach-Object {
        $value, $help = $_ -split "`t", 2
        if (-not $help) { $help = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
    }
}

Register-ArgumentCompleter -Native -CommandName 'git-credential-gitlab' -ScriptBlock {
    param($word, $commandAst, $cursor)
    Get-GitCredentialGitlabProposals @($commandAst.CommandElements | ForEach-Object { $_.ToString() }) $word
}

# Only one can complete git, so posh-git, if it was loaded before, is asked for what is not ours.
Register-ArgumentCompleter -Native -CommandName 'git' -ScriptBlock {
    param($word, $commandAst, $cursor)
    $words = @($commandAst.CommandElements | ForEach-Object { $_.ToString() })
    $ours = [array]::IndexOf($words, 'credential-gitlab')
    if ($ours -gt 0) {
        Get-GitCredentialGitlabProposals $words[$ours..($words.Count - 1)] $word
    } elseif (Get-Command Expand-GitCommand -ErrorAction Ignore) {
        $length = $cursor - $commandAst.Extent.StartOffset
        Expand-GitCommand $commandAst.ToString().PadRight($length).Substring(0, $length)
    }
}
