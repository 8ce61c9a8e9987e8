"""The start page: is the relay healthy, what is to be done, and how the mail goes."""
