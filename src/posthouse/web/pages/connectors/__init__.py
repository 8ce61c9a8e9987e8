"""Mail flow > Connectors: the list, and the wizard that makes and changes inbound ones."""
