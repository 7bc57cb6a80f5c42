"""Over TLS the kernel cannot send files or fill them: another way leads to the same."""

from pathlib import Path

from tests.fast_lane.conftest import Start, get
from tests.infra.http.conftest import options, trusting
from tests.pushing import digest, push_blob, push_image

RAW = bytes(range(256)) * 8192


async def test_answers_are_the_same_over_tls(start: Start, certificate: Path) -> None:
    secure, plain = await start(tls=trusting(certificate), at=options(certificate)), await start()
    await push_image(secure.client, "a", RAW)
    for path in ("/v2/a/manifests/latest", "/v2/a/tags/list", f"/v2/a/blobs/{digest(RAW)}"):
        expected = await plain.talk(get(path))
        assert [await secure.talk(get(path)) for _ in range(3)] == [expected] * 3
    assert secure.hits == ["GET /v2/a/manifests/latest", "GET /v2/a/tags/list"]
    ranged = get(f"/v2/a/blobs/{digest(RAW)}", "Range: bytes=70000-900000")
    assert (await secure.ask(ranged)).body == RAW[70_000:900_001]


async def test_bodies_come_the_same_over_tls(start: Start, certificate: Path) -> None:
    secure = await start(tls=trusting(certificate), at=options(certificate))
    await push_blob(secure.client, "a", RAW)
    opened = await secure.client.post("/v2/a/blobs/uploads/")
    place = opened.headers["location"]
    peer = await secure.connect()
    for at in range(0, len(RAW), 500_000):
        piece = RAW[at : at + 500_000]
        await peer.send(get(place, f"Content-Length: {len(piece)}", method="PATCH"), piece)
        assert (await peer.answer()).headers["range"] == f"0-{at + len(piece) - 1}"
    named = digest(RAW, "sha512")
    assert (await secure.client.put(place, params={"digest": named})).status_code == 201
    assert (await secure.client.get(f"/v2/a/blobs/{named}")).content == RAW
