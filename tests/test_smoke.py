import pytest
from tests.common import *
from tests.simulators.catalogue import *
from pathlib import Path
@pytest.mark.parametrize("n", range(5))
async def test_it(hass, plex, alice, n):
    answer = await plex.report(PlexEvent.SCROBBLE, THE_SALT_ROAD)
    print(answer, await plays_of(hass, alice), sorted(p.name for p in Path(hass.config.path('.storage')).iterdir()))
    assert answer['outcome'] == "recorded"
