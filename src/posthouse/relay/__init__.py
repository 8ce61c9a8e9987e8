"""The running relay: supervisor, worker, listener, session, scheduler, delivery."""
