"""The storm: random stories of fingers, cards, staff acts and outages on a real kiosk, centre and Chromium.

A story is a list of steps that comes from a seed (`story.py`). `stage.py` holds the hospital and the browser, and
`play.py` plays a story on it. The storm keeps books of its own: `glass.js` notes in the browser what was under each
finger, `books.py` holds the actions against that, and `sentences.py` the words against the kiosk's store.

Stories come from seeds, and not from hypothesis. Real processes are never twice at the same millisecond, so a failure
may need several tries to come again. Hypothesis calls such a test flaky and stops. A seed gives the same steps with the
same pauses, and `shrinking.py` tries each shorter story several times.
"""
