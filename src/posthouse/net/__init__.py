"""Facts from outside: names and addresses (dns), certificates, and encrypted sessions (tls)."""
