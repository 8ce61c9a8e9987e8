"""PowerShell scripts and cmdlets: what an administrator types for a tenant, done by Posthouse.

`interface` says what a cmdlet is; `powershell` is the language; `generic` has the cmdlets that know nothing of mail.
"""
