"""Small files of bars as text."""

NEW_YORK = {"time_zone": "America/New_York", "close": "16:00"}
TITLES = "symbol,date,open,high,low,close,volume\n"
PRICES = "10,11,9,10.5,1000"


def closes(file):
    return [f"{bar.close_time:%Y-%m-%d %H:%M}" for bar in file.bars]


def day_rows(*times, prices=PRICES):
    return "date,open,high,low,close,volume\n" + "".join(f"{time},{prices}\n" for time in times)


def note(file, text):
    return next((each for each in file.notes if text in each), "")
