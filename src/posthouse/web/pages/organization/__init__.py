"""Organization: administrators and their own accounts, API tokens, the audit log, settings."""
