"""The durable store of accepted messages: group commit, leases, trace, queue, secrets, the organization's document.

`open_store(url, data_dir)` creates or migrates the store and gives a `Store`, on which stand, each made as `X(store)`:

- `Spool` (spool.py), a worker's side: accept, claim, settle. Asynchronous, with a writer thread.
- `Workers` (workers.py): register, void(worker_id), void_node(node), list. Blocking, like all that follow.
- `Organizations` (organizations.py): load(), revision(), save(document, put=…, drop=…, expected_revision=…).
- `Secrets` (secrets.py): get(name), names().
- `Trace` (trace.py): find(filter, limit, cursor).
- `Queue` (queue.py): list, show(message_id), content(message_id), counts; retry, hold, release, drop(filter).
"""
