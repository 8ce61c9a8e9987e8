"""The admin centre: pages for a browser, beside the API in the same process (docs/admin-centre.md).

A page is a function that reads by `posthouse.admin`, and a template. Each works without JavaScript; `assets/app.js`
makes it smoother.
"""
