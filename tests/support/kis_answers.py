"""Answers of the KIS Open API, for tests of the source `kis`."""

from source_markets import collect, moment

KEY, SECRET = "PSKEY", "s3cret"
QUOTATIONS = "/uapi/domestic-stock/v1/quotations"
MINUTES = f"{QUOTATIONS}/inquire-time-dailychartprice"
DAYS = f"{QUOTATIONS}/inquire-daily-itemchartprice"
SUMMARY = {"hts_kor_isnm": "삼성전자", "stck_prpr": "71900"}


def minute_row(stamp, price=71900, volume=10):
    return {
        "stck_bsop_date": stamp[:8],
        "stck_cntg_hour": stamp[8:],
        "stck_oprc": f"{price}",
        "stck_hgpr": f"{price + 100}",
        "stck_lwpr": f"{price - 100}",
        "stck_prpr": f"{price}",
        "cntg_vol": f"{volume}",
    }


def day_row(day, price=71900, volume=10):
    row = minute_row(day + "000000", price, volume)
    return row | {"stck_clpr": row["stck_prpr"], "acml_vol": row["cntg_vol"]}


def ok(rows, summary=SUMMARY):
    return {
        "rt_cd": "0",
        "msg_cd": "MCA00000",
        "msg1": "정상처리 되었습니다.",
        "output1": summary,
        "output2": rows,
    }


def minutes_of(rows, size=120):
    """Answer with the newest rows up to the requested minute, newest first."""

    def answer(query):
        until = query["FID_INPUT_DATE_1"] + query["FID_INPUT_HOUR_1"]
        day = [row for row in rows if row["stck_bsop_date"] == query["FID_INPUT_DATE_1"]]
        page = [row for row in day if row["stck_bsop_date"] + row["stck_cntg_hour"] <= until][-size:]
        return ok(page[::-1])

    return answer


async def history(source, interval, start, end, symbol="005930"):
    return await collect(source.history(symbol, interval, moment(start), moment(end)))


def closes(bars):
    return [f"{bar.close_time:%d %H:%M}" for bar in bars]


def serve_token(market):
    market.routes["/oauth2/tokenP"] = {"access_token": "TOKEN", "token_type": "Bearer", "expires_in": 86400}
