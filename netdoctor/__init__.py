"""netdoctor finds the one cause of a Kubernetes node's network fault, repairs it, and proves the repair.

One way through, and each step is one file::

    Host -> Facts -> Probe -> Finding -> Diagnosis -> Plan -> Change -> the same Probe, on new Facts

- ``facts/``     what was read, one file per source; a probe asks for a fact by the type of its parameter
- ``probes/``    one fault, one file; a probe does no input or output, it judges facts
- ``diagnosis``  hangs each symptom under the cause that explains it
- ``remedies/``  one repair, one file; a remedy yields changes
- ``changes/``   one kind of edit, one file; each can undo itself, and stands in the journal before it is made
"""

from netdoctor.catalogue import probe as probe
from netdoctor.catalogue import remedy as remedy
from netdoctor.model import Change as Change
from netdoctor.model import Evidence as Evidence
from netdoctor.model import Finding as Finding
from netdoctor.model import NotApplicable as NotApplicable
from netdoctor.model import Risk as Risk
from netdoctor.model import Severity as Severity
from netdoctor.model import Subject as Subject

__version__ = "0.1.0"
