"""The language: a subset of PowerShell, checked as a whole before any of it runs."""
