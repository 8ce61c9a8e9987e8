"""Mail flow > Accepted domains, Message trace, Queue."""
