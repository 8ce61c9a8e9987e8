"""Mail flow > Connectors: the list, and the wizards that make and change them."""
