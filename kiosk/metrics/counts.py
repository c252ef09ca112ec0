"""Counts of a kiosk: taps, actions, how soon a card is read and its person is on the screen, the centre's channel."""

import threading
import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from sync.metrics import LabelledCounter, LabelledHistogram

_LONGEST_S = 5.0  # from a tap to its screen: a page that connects later was not there at the tap


class KioskCounts:
    """The counts of one kiosk, from the start of its daemon. May be used from any thread."""

    def __init__(self, registry: CollectorRegistry, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`monotonic` returns seconds, on the clock of the readers' processes."""
        self._monotonic = monotonic
        self._taps = LabelledCounter(registry, "nfc_kiosk_taps", "Cards, by the screen or the refusal.", "outcome")
        self._actions = LabelledCounter(
            registry, "nfc_kiosk_actions", "Actions: done, or the code of the refusal.", "action", "outcome"
        )
        self._uid_seconds = LabelledHistogram(
            registry, "nfc_kiosk_insert_to_uid_seconds", "Seconds from a card that is noticed to its id."
        )
        self._screen_seconds = LabelledHistogram(
            registry, "nfc_kiosk_tap_to_screen_seconds", "Seconds from the id to the screen that is sent to the page."
        )
        self._lock = threading.Lock()
        self._waiting: tuple[int, float] | None = None  # the frame of a tap's screen, and when its card was read
        self._shown: tuple[int, float] = (0, 0.0)  # the last frame that was sent, and when
        self.channel = Channel(registry, monotonic)

    def count_action(self, action_type: str, outcome: str) -> None:
        """Counts an action of a person. `action_type` is one of the definitions, or `unknown`."""
        self._actions.add((action_type, outcome))

    def count_refused_card(self, reason: str) -> None:
        """Counts a card that cannot be used."""
        self._taps.add((reason,))

    def begin_tap(self, noticed_ns: int) -> float:
        """Notes that the id of a card is known, which was noticed at that time. Returns the present time."""
        now_s = self._monotonic()
        self._uid_seconds.add((), max(0.0, now_s - noticed_ns / 1e9))
        return now_s

    def end_tap(self, begun_s: float, frame: int, outcome: str) -> None:
        """Notes the screen that a tap has led to. The page may have it already, or may have had it before the tap."""
        self._taps.add((outcome,))
        with self._lock:
            shown, shown_s = self._shown
            is_new = shown < frame or shown_s >= begun_s
            self._waiting = (frame, begun_s) if is_new else None
            if is_new and shown >= frame:
                self._observe(shown_s)

    def show(self, frame: int) -> None:
        """Notes that a screen was sent to a page."""
        with self._lock:
            if frame <= self._shown[0]:
                return  # another page has it already
            self._shown = (frame, self._monotonic())
            if self._waiting is not None and frame >= self._waiting[0]:
                self._observe(self._shown[1])

    def _observe(self, shown_s: float) -> None:
        assert self._waiting is not None
        seconds = shown_s - self._waiting[1]
        self._waiting = None
        if seconds <= _LONGEST_S:
            self._screen_seconds.add((), seconds)


class Channel(Collector):
    """How long the channel to the centre was wanted, and how long the centre answered.

    It is wanted while the kiosk is enrolled.
    """

    def __init__(self, registry: CollectorRegistry, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._is_wanted = self._is_connected = False
        self._since_s = monotonic()
        self._wanted_s = self._connected_s = 0.0
        registry.register(self)

    def turn(self, *, is_wanted: bool, is_connected: bool) -> None:
        """Notes a change."""
        with self._lock:
            self._count()
            self._is_wanted, self._is_connected = is_wanted, is_connected

    def collect(self) -> Iterator[Metric]:
        """Both times of this moment."""
        with self._lock:
            self._count()
            wanted_s, connected_s = self._wanted_s, self._connected_s
        yield CounterMetricFamily("nfc_kiosk_centre_wanted_seconds", "Time in which the centre was wanted.", wanted_s)
        yield CounterMetricFamily("nfc_kiosk_centre_connected_seconds", "Time in which it answered.", connected_s)

    def _count(self) -> None:
        now_s = self._monotonic()
        passed_s, self._since_s = now_s - self._since_s, now_s
        if self._is_wanted:
            self._wanted_s += passed_s
            self._connected_s += passed_s if self._is_connected else 0.0
