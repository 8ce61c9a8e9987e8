"""The admin address: the REST API, in a process of its own that the relay starts by command line.

Thin over `posthouse.admin`: each request becomes an actor and an act of his. The relay runs on without it.
"""
