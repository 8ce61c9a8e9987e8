"""The resources of `/api/v1`: a module for each kind, each with a `router`."""
