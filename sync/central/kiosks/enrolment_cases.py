"""What staff hear of enrolments: those that were refused, and kiosks that asked for more than their code grants."""

from sync.central.centre import Centre
from sync.central.records.cases import ENROLMENT_REFUSED, GRANTS_CUT, NewCase, open_or_repeat
from sync.central.store.transactions import WriteTransaction
from sync.protocol import EndCode, Enrolment, EnrolRequest


def note_refused_enrolment(db: WriteTransaction, centre: Centre, code: EndCode, error: str, address: str) -> None:
    """Notes a refused enrolment from a network address. Nobody is known yet, so those with one code are one case."""
    detail = {"why": error, "from": address}
    new = NewCase(ENROLMENT_REFUSED, None, detail, matter=code.value)
    open_or_repeat(db, centre.ids(), new, centre.clock())


def note_cut_grants(db: WriteTransaction, centre: Centre, request: EnrolRequest, made: Enrolment) -> None:
    """Opens a case where a kiosk was enrolled with less than it asked for.

    `unknown` counts the names that are neither kinds of kiosk nor actions of patients: a kiosk can write any text.
    """
    definitions = centre.definitions
    asked = definitions.granted(request.actions)
    cut = [name for name in asked if name not in made.actions]
    unknown = sum(name not in (*definitions.kiosks, *asked) for name in request.actions)
    if cut or unknown:
        detail = {"granted": list(made.actions), "not_granted": cut, "unknown": unknown}
        new = NewCase(GRANTS_CUT, made.kiosk_id, detail, matter=GRANTS_CUT)
        open_or_repeat(db, centre.ids(), new, centre.clock())
