"""Takes in actions that a kiosk of this site set aside in a file, judged as if the kiosk had pushed them.

An action that came before, in a push or in a file, gets its verdict again. The chains of the kiosks stay where they
are: the kiosk may be revoked, unknown after a restore, or push the same actions later. An action is known by its id.
"""

from collections.abc import Sequence

from sync.cards import CardKeys
from sync.central.centre import Centre
from sync.central.conflicts.gather import JudgingContext, judging_context
from sync.central.kiosks.batch import Batch
from sync.central.kiosks.intents import read_body, read_intent
from sync.central.kiosks.judge_link import judge_link, repeat_verdict
from sync.central.kiosks.links import Link
from sync.central.records.chains import Chain, read_receipt
from sync.central.records.kiosks import Kiosk, read_kiosk
from sync.central.records.site import SiteSettings, read_site
from sync.central.records.verdicts import announce_first_verdict
from sync.central.store.transactions import ReadTransaction, WriteTransaction
from sync.clock import ClockReading
from sync.journey.definitions import ENTRANCE
from sync.journey.model import KioskId
from sync.protocol import Intent, VerdictRow
from sync.set_aside import SetAside, body_of, sites_of

AT_ONCE = 100  # actions of one transaction

# The file came long after the kiosk wrote it, so its monotonic clock proves nothing.
_NO_CLOCK = ClockReading(wall_ms=0, mono_ms=0, boot_id="none: from a file", synchronised=False)


class OtherSite(ValueError):
    """The file is another site's. The message is for the operator."""


def take_in(db: WriteTransaction, centre: Centre, actions: Sequence[SetAside]) -> list[VerdictRow]:
    """Judges actions of a file, in their order, and returns their verdicts. Raises OtherSite, and NoSite.

    At most `AT_ONCE` actions belong into one transaction, since every other writer waits for it.
    """
    _refuse_other_site(read_site(db), actions)
    context = judging_context(db, centre.definitions, centre.ids, centre.clock())
    verdicts = [_judge(db, context, centre.keys.published, action) for action in actions]
    # As after a push: a backup from before is older now, even where no journey has moved. The kiosk may still wait for
    # these verdicts, and gets them with its next pull.
    for verdict in verdicts:
        announce_first_verdict(db, verdict.action_id, db.next_change())
    return verdicts


def _refuse_other_site(settings: SiteSettings, actions: Sequence[SetAside]) -> None:
    for site_id, name in sites_of(actions).items():
        if site_id != settings.site_id:
            raise OtherSite(
                f"the file holds actions of {name} (site {site_id}), and this centre is {settings.site.name}"
                f" (site {settings.site_id})"
            )


def _judge(db: WriteTransaction, context: JudgingContext, keys: CardKeys, action: SetAside) -> VerdictRow:
    link, chain = _link_in_chain(action)
    batch = Batch(context, keys, _sender(db, chain.kiosk_id), chain, _NO_CLOCK, in_chain=False)
    receipt = read_receipt(db, batch.chain, link.seq)
    if receipt is not None and receipt.hash == link.hash:
        return repeat_verdict(db, batch, link, receipt.verdict_id)
    return judge_link(db, batch, link)


def _link_in_chain(action: SetAside) -> tuple[Link, Chain]:
    """The action as a link, with its chain. A record that was damaged at the kiosk becomes an opaque link.

    The row of a kiosk that was enrolled again names its new id. The body names the place that the action had then.
    """
    raw, is_sound = body_of(action)
    body = read_body(raw) if is_sound else None
    document = body.document if body else None
    intent = read_intent(document)
    if not isinstance(intent, Intent) or intent.action_id != action.action_id or not _can_keep(intent):
        link = Link(action.seq, action.hash, raw, None, read_intent(None), action_id=action.action_id, opaque=True)
        return link, Chain(action.kiosk_id, action.epoch)
    link = Link(intent.seq, action.hash, raw, document, intent, action_id=action.action_id, prior_verdict=action.held)
    return link, Chain(intent.kiosk_id, intent.epoch)


def _can_keep(intent: Intent) -> bool:
    """Whether the database can hold the place that an intent names."""
    return all(abs(number) <= 2**53 for number in (intent.epoch, intent.seq))


def _sender(db: ReadTransaction, kiosk_id: str) -> Kiosk:
    """The kiosk of an action, also a revoked one. One that the centre does not know could do what an entrance may."""
    return read_kiosk(db, kiosk_id) or Kiosk(
        kiosk_id=KioskId(kiosk_id),
        name=kiosk_id,
        ticket_prefix="",
        grants=(ENTRANCE,),
        epoch=0,
        enrolled_ms=0,
        seen_ms=None,
        revoked_ms=None,
    )
