"""Posthouse: a self-hosted SMTP relay with Exchange-Online-style connectors."""

__version__ = "0.1.0"
