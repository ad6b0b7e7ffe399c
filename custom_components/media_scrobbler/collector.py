"""When Python looks for garbage while many objects come and go."""

import gc
from types import TracebackType


class _CollectedByHand:
    """Has Python look for garbage only when it is told to, for as long as a block runs.

    By itself it looks whenever a few thousand objects have been made, as they are of one
    page of a library or a history, and takes those that it finds for such as stay. A few
    dozen pages later it looks through all objects of Home Assistant, which holds up the
    event loop for a fifth of a second and more. Next to all of them are gone again without
    its help.

    Several blocks may run at once.
    """

    def __init__(self) -> None:
        self._blocks = 0
        self._was_enabled = True

    def __enter__(self) -> None:
        if self._blocks == 0:
            self._was_enabled = gc.isenabled()
            gc.disable()
        self._blocks += 1

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._blocks -= 1
        if self._blocks == 0 and self._was_enabled:
            gc.enable()

    def collect(self) -> None:
        """Look through the objects made since the last time; takes a millisecond or two."""
        gc.collect(0)


collected_by_hand = _CollectedByHand()
