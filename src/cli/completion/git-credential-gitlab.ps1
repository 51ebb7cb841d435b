# Completion of git-credential-gitlab for PowerShell.
# Load it: git credential-gitlab completion powershell | Out-String | Invoke-Expression

Register-ArgumentCompleter -Native -CommandName 'git-credential-gitlab' -ScriptBlock {
    param($word, $commandAst, $cursor)
    $words = @($commandAst.CommandElements | ForEach-Object { $_.ToString() })
    $index = $words.Count - 1
    if ($word -eq '') { $words += ''; $index += 1 }
    git-credential-gitlab complete $index @words 2>$null | ForEach-Object {
        $value, $help = $_ -split "`t", 2
        if (-not $help) { $help = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
    }
}
