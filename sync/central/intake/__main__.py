"""The process that takes one document: it comes by the standard input, and the result goes to the standard output."""

import io
import os
import signal
import sys

import msgspec

from sync.central.documents.interruption import interruptible
from sync.central.documents.read_rows import Source
from sync.central.intake.order import Order
from sync.central.intake.take_document import take_document
from sync.parent_death import end_with_parent


def main() -> None:
    """Takes the document as the order in the first argument says."""
    end_with_parent(signal.SIGTERM, os.getppid())
    order = msgspec.json.decode(sys.argv[1], type=Order)
    document = sys.stdin.buffer
    size = document.seek(0, io.SEEK_END)
    document.seek(0)
    with interruptible() as interruption:
        interruption.defer()
        result = take_document(Source(document, order.name, size), order, interruption.check)
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
