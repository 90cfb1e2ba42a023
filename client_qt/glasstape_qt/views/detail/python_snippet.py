"""Python code that computes the explanations on the screen."""

from glasstape_qt.views.detail.detail_requests import ExplanationKey


def python_snippet(address: str, key: ExplanationKey, zone: str, language: str) -> str:
    """Return a program for the SDK that prints the explanations, in the words of the screen.

    Args:
        address: host:port of the server.
        key: what is explained.
        zone: IANA name of the zone that the times are written in.
        language: "en" or "ko".
    """
    methods = [method.value for method in key.methods]
    return (
        "from zoneinfo import ZoneInfo\n\n"
        "from glasstape import Client, in_words, trust_in_words\n\n"
        f"with Client({address!r}) as client:\n"
        f"    for method in {methods!r}:\n"
        f"        explanation = client.explain(signals=[{key.sequence}], method=method, "
        f"score={str(key.score)!r}, quality='full')[0]\n"
        "        print(method, explanation.confidence)\n"
        "        print(explanation.heatmap.values)\n"
        f"        print(*trust_in_words(explanation, {language!r}), sep='\\n')\n"
        f"        print(*in_words(explanation, {language!r}, ZoneInfo({zone!r})), sep='\\n')\n"
    )
