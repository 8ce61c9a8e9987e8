"""Doctor: walks the way that mail takes out of this relay, and says at each step what holds and what doesn't.

`examine(config, options)` gives a `Step` after another, as they end. It sends no mail unless asked to.
`examine_credential(name, config, options)` gives those of one credential.
"""

from posthouse.probe.doctor.case import Options
from posthouse.probe.doctor.step import Area, Status, Step
from posthouse.probe.doctor.walk import examine, examine_credential

__all__ = ["Area", "Options", "Status", "Step", "examine", "examine_credential"]
