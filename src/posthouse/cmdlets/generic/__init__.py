"""The cmdlets that know nothing of mail: pipelines, formats, dates, files that were allowed."""

from posthouse.cmdlets.generic.content import CONTENT
from posthouse.cmdlets.generic.data import DATA
from posthouse.cmdlets.generic.formats import FORMATS
from posthouse.cmdlets.generic.hosting import HOSTING
from posthouse.cmdlets.generic.messages import MESSAGES
from posthouse.cmdlets.generic.objects import OBJECTS
from posthouse.cmdlets.generic.surroundings import SURROUNDINGS
from posthouse.cmdlets.generic.types import TYPES
from posthouse.cmdlets.interface import Library, View

GENERIC = Library(
    cmdlets=(*OBJECTS, *FORMATS, *DATA, *CONTENT, *HOSTING, *MESSAGES, *SURROUNDINGS),
    types=TYPES,
    views={"Microsoft.PowerShell.Commands.GroupInfo": View(("Count", "Name", "Group"))},
)

__all__ = ["GENERIC"]
