"""Postfix: main.cf, and the tables beside it. Nothing is executed, and no file of another folder is read.

What the parameters mean: https://www.postfix.org/postconf.5.html
"""

from posthouse.admin.migration.postfix.reader import read_postfix

__all__ = ["read_postfix"]
