"""Korea Investment & Securities: tokens, pace, clock and errors of requests."""

from datetime import timedelta

import pytest
from glasstape.sources import CredentialsError, RateLimitedError, SourceError, SourceUnavailableError
from kis_answers import DAYS, KEY, SECRET, history, ok

pytest.importorskip("aiohttp")


async def test_a_token_is_requested_once_a_day_and_after_a_refusal(market, make_kis):
    market.routes[DAYS] = ok([])
    source = make_kis()
    for _ in range(3):
        await history(source, "1d", "2025-11-11T06:30", "2025-11-12T07:00")
    tokens = [body for path, _, _, body in market.requests if path == "/oauth2/tokenP"]
    assert len(tokens) == 1
    market.faults.append((500, '{"rt_cd":"1","msg_cd":"EGW00123","msg1":"기간이 만료된 token 입니다."}'))
    await history(source, "1d", "2025-11-11T06:30", "2025-11-12T07:00")
    market.clock.time += timedelta(days=1)
    await history(source, "1d", "2025-11-11T06:30", "2025-11-12T07:00")
    assert len([path for path, *_ in market.requests if path == "/oauth2/tokenP"]) == 3


@pytest.mark.parametrize(
    ("fault", "error", "text", "pause"),
    [
        ((403, '{"error_code":"EGW00103","error_description":"AppKey"}'), CredentialsError, "EGW00103 AppKey", None),
        ((401, '{"msg1":"PSKEY s3cret"}'), CredentialsError, r"HTTP 401 \*\*\* \*\*\*", None),
        ((500, '{"rt_cd":"1","msg_cd":"EGW00201","msg1":"초당 거래건수를 초과"}'), RateLimitedError, "EGW00201", 1),
        ((403, '{"error_code":"EGW00133","error_description":"1분당 1회"}'), RateLimitedError, "EGW00133", 60),
        ((429, "{}"), RateLimitedError, "HTTP 429", None),
        ((200, '{"rt_cd":"1","msg_cd":"OPSQ2001","msg1":"ERROR : INPUT"}'), SourceError, "OPSQ2001", None),
        ((503, "<html>점검 s3cret"), SourceUnavailableError, r"HTTP 503 without .*: '<html>점검 \*\*\*'", None),
        ((500, '{"rt_cd":"1","msg_cd":"","msg1":""}'), SourceUnavailableError, "HTTP 500", None),
        ((200, "[]"), SourceUnavailableError, "without a JSON object", None),
        ((200, '{"rt_cd":"0","output1":{"stck_prpr":"1"},"output2":[{"stck_bsop_date":"x"}]}'),
         SourceUnavailableError, "a row cannot be read", None),
    ],
)  # fmt: skip
async def test_faults_are_translated(market, make_kis, fault, error, text, pause):
    market.routes[DAYS] = ok([])
    source = make_kis()
    await history(source, "1d", "2025-11-11T06:30", "2025-11-12T07:00")
    market.faults.append(fault)
    with pytest.raises(SourceError, match=text) as caught:
        await history(source, "1d", "2025-11-11T06:30", "2025-11-12T07:00")
    assert type(caught.value) is error
    if pause:
        assert caught.value.retry_after == timedelta(seconds=pause)
    for credential in (KEY, SECRET, "TOKEN"):
        assert credential not in str(caught.value)


async def test_requests_keep_the_pace_and_the_markets_clock(market, make_kis):
    market.routes[DAYS] = ok([])
    source = make_kis()
    for _ in range(3):
        await history(source, "1d", "2025-11-11T06:30", "2025-11-12T07:00")
    assert market.clock.slept == pytest.approx([1 / 15] * 3, abs=1e-5)
    market.clock.ahead_of_machine = timedelta(seconds=7)
    await history(source, "1d", "2025-11-11T06:30", "2025-11-12T07:00")
    assert (await source.now() - market.clock.machine_time()).total_seconds() == pytest.approx(7, abs=1)
